// What https://js.stripe.com/v3/ is for a page, as far as these examples go: with `npm start` it is served in its place, and
// speaks with the stack's stand-in for Stripe. It asks for a card by Stripe's test numbers. Not to be copied.
const CARDS = {
  4242424242424242: "pm_card_visa",
  4000000000000002: "pm_card_chargeDeclined",
};

globalThis.Stripe = (publishableKey) => ({
  elements: ({ clientSecret }) => ({
    clientSecret,
    create: () => ({
      mount(selector) {
        document.querySelector(selector).innerHTML =
          '<label>Card number <input name="card" inputmode="numeric" required></label>';
      },
    }),
  }),
  async confirmPayment({ elements: { clientSecret } }) {
    const number = document.querySelector("[name=card]").value;
    const [intent] = clientSecret.split("_secret_");
    const answer = await fetch(`/stripe/v1/payment_intents/${intent}/confirm`, {
      method: "POST",
      body: new URLSearchParams({
        key: publishableKey,
        client_secret: clientSecret,
        payment_method: CARDS[number.replaceAll(" ", "")] ?? "pm_unknown",
      }),
    });
    const body = await answer.json();
    return answer.ok ? { paymentIntent: body } : { error: body.error };
  },
});
