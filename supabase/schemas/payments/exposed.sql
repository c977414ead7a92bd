-- What apps and the shop read of payments over REST, each where its name is free in public (interlock.expose).
select interlock.expose('wallets');
select interlock.expose('wallet_movements');
select interlock.expose('payment_proofs');
select interlock.expose('payments');
select interlock.expose('wallet_differences');
