-- What a mail says, in a language: a subject, and paragraphs with placeholders. The shop's own words count where it has some.
--
-- Callers: interlock.render_mail.
-- Locks: none.
create function interlock.mail_template(p_kind text, p_language text)
returns interlock.mail_templates
language plpgsql
stable
set search_path = ''
as $$
declare
  v_template interlock.mail_templates;
begin
  select t.* into v_template
  from interlock.mail_templates t
  where t.kind = p_kind
    and t.language = p_language;
  if found then
    return v_template;
  end if;

  v_template.kind := p_kind;
  v_template.language := p_language;
  select t.subject, t.body into v_template.subject, v_template.body
  from (values
    ('order_confirmed', 'en', 'Your order {{order_number}} at {{shop}}',
$mail$Thank you for your order {{order_number}} of {{order_date}}.

{{lines}}

It is paid: {{paid_by}}.

Please transfer {{transfer_until}}, and name the order number {{order_number}}.

You pay on delivery: {{cash_due}}.

See your order: {{order_url}}$mail$),
    ('order_confirmed', 'de', 'Ihre Bestellung {{order_number}} bei {{shop}}',
$mail$Vielen Dank für Ihre Bestellung {{order_number}} vom {{order_date}}.

{{lines}}

Sie ist bezahlt: {{paid_by}}.

Bitte überweisen Sie {{transfer_until}} und geben Sie dabei die Bestellnummer {{order_number}} an.

Sie zahlen bei der Lieferung: {{cash_due}}.

Ihre Bestellung ansehen: {{order_url}}$mail$),
    ('payment_received', 'en', 'We have your payment for order {{order_number}}',
$mail$Thank you: we have received your payment for order {{order_number}}.

{{lines}}

See your order: {{order_url}}$mail$),
    ('payment_received', 'de', 'Ihre Zahlung für Bestellung {{order_number}} ist da',
$mail$Vielen Dank: Ihre Zahlung für Bestellung {{order_number}} ist bei uns eingegangen.

{{lines}}

Ihre Bestellung ansehen: {{order_url}}$mail$),
    ('order_shipped', 'en', 'Your order {{order_number}} is on its way',
$mail$Your order {{order_number}} has left us.

{{lines}}

Tracking number: {{tracking}}

Still to come in another parcel: {{items_left}}.

See your order: {{order_url}}$mail$),
    ('order_shipped', 'de', 'Ihre Bestellung {{order_number}} ist unterwegs',
$mail$Ihre Bestellung {{order_number}} hat unser Haus verlassen.

{{lines}}

Sendungsnummer: {{tracking}}

Es folgen in einem weiteren Paket: {{items_left}}.

Ihre Bestellung ansehen: {{order_url}}$mail$),
    ('order_refunded', 'en', 'Your order {{order_number}}: what has changed',
$mail$We give back {{refund}} of your order {{order_number}}.

We have taken {{reduction}} off your order {{order_number}}. It costs {{new_total}} now.

{{lines}}

The money goes back where it came from: {{refunded_to}}. This can take a few days.

See your order: {{order_url}}$mail$),
    ('order_refunded', 'de', 'Ihre Bestellung {{order_number}}: was sich geändert hat',
$mail$Wir erstatten Ihnen {{refund}} zu Ihrer Bestellung {{order_number}}.

Ihre Bestellung {{order_number}} kostet {{reduction}} weniger, also jetzt {{new_total}}.

{{lines}}

Das Geld geht dorthin zurück, woher es kam: {{refunded_to}}. Das kann einige Tage dauern.

Ihre Bestellung ansehen: {{order_url}}$mail$),
    ('payment_reminder', 'en', 'Your order {{order_number}} waits for your payment',
$mail$We have kept the goods of your order {{order_number}} for you, but have not seen a payment yet.

Please transfer {{transfer_until}}, and name the order number {{order_number}}. After that the order ends by itself.

If your payment is on its way already, there is nothing more to do.

See your order: {{order_url}}$mail$),
    ('payment_reminder', 'de', 'Ihre Bestellung {{order_number}} wartet auf Ihre Zahlung',
$mail$Wir halten die Ware Ihrer Bestellung {{order_number}} für Sie bereit, haben aber noch keine Zahlung gesehen.

Bitte überweisen Sie {{transfer_until}} und geben Sie dabei die Bestellnummer {{order_number}} an. Danach endet die Bestellung von selbst.

Falls Ihre Zahlung schon unterwegs ist, brauchen Sie nichts weiter zu tun.

Ihre Bestellung ansehen: {{order_url}}$mail$)
  ) as t (kind, language, subject, body)
  where t.kind = p_kind
    and t.language = p_language;
  return v_template;
end
$$;
