//! What must hold for the rights as a whole, whatever docs/permissions.md says.

use anyhow::Result;
use tokio_postgres::Client;

/// A rule, and the query that lists what breaks it.
struct Rule {
    says: &'static str,
    broken_by: &'static str,
}

/// Functions of ours, without those of extensions.
const OURS: &str = "f.pronamespace::regnamespace::text in ('public', 'interlock')
    and not exists (select 1 from pg_depend d where d.objid = f.oid and d.deptype = 'e')";

const RULES: &[Rule] = &[
    Rule {
        says: "every table has row security",
        broken_by: "select c.oid::regclass::text from pg_class c
          where c.relnamespace::regnamespace::text in ('public', 'interlock') and c.relkind in ('r', 'p') and not c.relrowsecurity",
    },
    Rule {
        says: "no function of the exposed schema runs with its owner's rights",
        broken_by: "select f.oid::regprocedure::text from pg_proc f
          where f.prosecdef and f.pronamespace::regnamespace::text = 'public' and OURS",
    },
    Rule {
        says: "every function has an empty search path",
        broken_by: "select f.oid::regprocedure::text from pg_proc f
          where not coalesce(f.proconfig @> array['search_path=\"\"'], false) and OURS",
    },
    Rule {
        says: "PUBLIC may execute nothing",
        broken_by: "select f.oid::regprocedure::text from pg_proc f
          cross join aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
          where a.grantee = 0 and OURS",
    },
    Rule {
        says: "PUBLIC has no right on a table or sequence",
        broken_by: "select c.oid::regclass::text from pg_class c cross join aclexplode(c.relacl) a
          where a.grantee = 0 and c.relnamespace::regnamespace::text in ('public', 'interlock')
            and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')",
    },
    Rule {
        says: "no role can hand a right on",
        broken_by: "select c.oid::regclass::text from pg_class c cross join aclexplode(c.relacl) a
          where a.is_grantable and a.grantee::regrole::text in ('anon', 'authenticated', 'service_role')
            and c.relnamespace::regnamespace::text in ('public', 'interlock')",
    },
    Rule {
        says: "a policy names its roles",
        broken_by: "select p.policyname::text from pg_policies p
          where p.schemaname in ('public', 'interlock') and 'public' = any (p.roles)",
    },
    Rule {
        says: "a view that users read has their rights, not its owner's",
        broken_by: "select c.oid::regclass::text from pg_class c
          where c.relnamespace::regnamespace::text in ('public', 'interlock') and c.relkind in ('v', 'm')
            and not coalesce(c.reloptions && array['security_invoker=true', 'security_invoker=on'], false)
            and (has_any_column_privilege('anon', c.oid, 'select') or has_any_column_privilege('authenticated', c.oid, 'select'))",
    },
    Rule {
        says: "users write no table: they call functions",
        broken_by: "select r.role || ': ' || c.oid::regclass::text
          from pg_class c cross join (values ('anon'), ('authenticated')) as r (role)
          where c.relnamespace::regnamespace::text in ('public', 'interlock') and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and (has_any_column_privilege(r.role, c.oid, 'insert') or has_any_column_privilege(r.role, c.oid, 'update')
              or has_table_privilege(r.role, c.oid, 'delete'))
            and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')",
    },
    Rule {
        says: "nobody may truncate, refer to a table or put a trigger on it",
        broken_by: "select r.role || ': ' || c.oid::regclass::text
          from pg_class c cross join (values ('anon'), ('authenticated'), ('service_role')) as r (role)
          where c.relnamespace::regnamespace::text in ('public', 'interlock') and c.relkind in ('r', 'p')
            and has_table_privilege(r.role, c.oid, 'truncate, references, trigger')",
    },
    Rule {
        says: "anon reaches what a page shows before anybody signs in, which shop it is in, what a provider signs, what a worker has a secret or a lease for and whether a topic may be heard, and nobody creates objects beside ours",
        broken_by: "select 'anon: ' || c.oid::regclass::text
          from pg_class c
          where c.relnamespace = 'interlock'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
            and c.relname not in ('products', 'linked_products', 'shipping_methods', 'tax_rates')
            and has_any_column_privilege('anon', c.oid, 'select, insert, update, references')
          union all
          select 'anon: ' || f.oid::regprocedure::text
          from pg_proc f
          where f.pronamespace = 'interlock'::regnamespace and f.proname not in ('get_stock', 'payment_webhook', 'mail_webhook', 'claim_deliveries', 'record_delivery', 'may_hear', 'shop_id')
            and has_function_privilege('anon', f.oid, 'execute')
          union all
          select r.role || ': create in ' || s.schema
          from (values ('anon'), ('authenticated'), ('service_role')) as r (role)
          cross join (values ('public'), ('interlock')) as s (schema)
          where has_schema_privilege(r.role, s.schema, 'create')",
    },
    Rule {
        says: "what is created in schema interlock later is nobody's by default",
        broken_by: "select d.defaclrole::regrole::text || ': ' || a.privilege_type
          from pg_default_acl d cross join aclexplode(d.defaclacl) a
          where d.defaclnamespace = 'interlock'::regnamespace and a.grantee <> d.defaclrole",
    },
    Rule {
        says: "users do not pass row security",
        broken_by: "select r.rolname::text from pg_roles r
          where r.rolname in ('anon', 'authenticated')
            and (r.rolbypassrls or r.rolsuper or pg_has_role(r.oid, 'service_role', 'member')
              or pg_has_role(r.oid, 'postgres', 'member'))",
    },
];

/// Where the platform's storage is: the bucket of payment proofs and who gets at its files.
const STORAGE: &[Rule] = &[
    Rule {
        says: "the bucket of payment proofs is private",
        broken_by: "select id from storage.buckets where id = 'payment-proofs' and public",
    },
    Rule {
        says: "buyers add and read payment proofs, and nobody changes one",
        broken_by: "select coalesce(p.policyname, e.name) || ' ' || coalesce(p.cmd, '(missing)')
          from (values
            ('interlock_payment_proofs_insert_own', 'INSERT'),
            ('interlock_payment_proofs_select_own_or_staff', 'SELECT')) as e (name, cmd)
          full join (select * from pg_policies where schemaname = 'storage' and policyname like 'interlock%') p
            on p.policyname = e.name and p.cmd = e.cmd and p.roles = array['authenticated'::name]
          where e.name is null or p.policyname is null",
    },
];

/// What is broken, each with the rule, and how many rules were asked.
pub(super) async fn broken(db: &Client, storage: bool) -> Result<(Vec<String>, u64)> {
    let mut broken = Vec::new();
    let mut asked = 0;
    for rule in RULES.iter().chain(STORAGE.iter().filter(|_| storage)) {
        asked += 1;
        let query = rule.broken_by.replace("OURS", OURS);
        for row in db.query(&query, &[]).await? {
            broken.push(format!(
                "{}, but not {}",
                rule.says,
                row.get::<_, String>(0)
            ));
        }
    }
    Ok((broken, asked))
}

/// Whether the platform's storage is here.
pub(super) async fn has_storage(db: &Client) -> Result<bool> {
    let row = db
        .query_one("select to_regclass('storage.objects') is not null", &[])
        .await?;
    Ok(row.get(0))
}
