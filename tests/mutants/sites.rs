//! Every place that can be broken, by the database's own catalogue: what a new migration adds has its
//! mutants without anybody writing them.

use super::operators::break_source;
use crate::harness::stack::Bench;

/// One way to break the product.
pub(super) struct Mutant {
    /// What is taken away.
    pub(super) name: String,
    pub(super) kind: &'static str,
    /// The object that it belongs to: a function, table or domain.
    pub(super) object: String,
    /// The statement that takes it away.
    pub(super) sql: String,
    /// The statement that puts it back; only for functions.
    pub(super) undo: String,
}

/// Schema objects: kind, table, what is taken away, statement.
const OBJECTS: &str = "
with ours as (
  select c.oid, c.oid::regclass::text as name, c.relname, c.relrowsecurity, c.relnamespace::regnamespace::text as schema
  from pg_class c
  where c.relkind in ('r', 'p') and c.relnamespace = 'interlock'::regnamespace
)
select 'constraint', t.relname, format('%s: without constraint %s', t.relname, k.conname),
  format('alter table %s drop constraint %I cascade', t.name, k.conname)
from pg_constraint k join ours t on t.oid = k.conrelid
where k.contype in ('c', 'u', 'x', 'f', 'p')
union all
select 'constraint', d.typname, format('%s: without constraint %s', d.typname, k.conname),
  format('alter domain %s drop constraint %I', d.oid::regtype, k.conname)
from pg_constraint k join pg_type d on d.oid = k.contypid
where d.typnamespace = 'interlock'::regnamespace
union all
select 'constraint', t.relname, format('%s: without unique index %s', t.relname, i.indexrelid::regclass),
  format('drop index %s', i.indexrelid::regclass)
from pg_index i join ours t on t.oid = i.indrelid
where i.indisunique and not exists (select 1 from pg_constraint k where k.conindid = i.indexrelid)
union all
select 'constraint', t.relname, format('%s: %s may be null', t.relname, a.attname),
  format('alter table %s alter column %I drop not null', t.name, a.attname)
from pg_attribute a join ours t on t.oid = a.attrelid
where a.attnum > 0 and a.attnotnull and not a.attisdropped and a.attidentity = ''
  and not exists (select 1 from pg_constraint k where k.conrelid = t.oid and k.contype = 'p' and a.attnum = any (k.conkey))
union all
select 'trigger', t.relname, format('%s: without trigger %s', t.relname, g.tgname),
  format('alter table %s disable trigger %I', t.name, g.tgname)
from pg_trigger g join ours t on t.oid = g.tgrelid
where not g.tgisinternal
union all
select 'access', t.relname, format('%s: policy %s lets everything pass', t.relname, p.polname),
  format('alter policy %I on %s using (true)', p.polname, t.name)
from pg_policy p join ours t on t.oid = p.polrelid
union all
select 'access', t.relname, format('%s: without row security', t.relname),
  format('alter table %s disable row level security', t.name)
from ours t where t.relrowsecurity
union all
select 'access', t.relname, format('%s: %s may %s', t.relname, r.role, r.right),
  format('grant %s on %s to %s', r.right, t.name, r.role)
from ours t
cross join (
  select role, \"right\" from unnest(array['anon', 'authenticated', 'service_role']) role,
    unnest(array['select', 'insert', 'update', 'delete', 'truncate']) \"right\"
) r
where not has_table_privilege(r.role, t.oid, r.right)
union all
select 'access', p.proname, format('%s: %s may call it', p.oid::regprocedure, r.role),
  format('grant execute on function %s to %s', p.oid::regprocedure, r.role)
from pg_proc p cross join unnest(array['anon', 'authenticated', 'service_role']) r (role)
where p.pronamespace in ('public'::regnamespace, 'interlock'::regnamespace)
  and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  and not has_function_privilege(r.role, p.oid, 'execute')
union all
select 'setting', p.proname, format('%s: without %s', p.oid::regprocedure, s.setting),
  format('alter function %s reset %s', p.oid::regprocedure, split_part(s.setting, '=', 1))
from pg_proc p cross join unnest(p.proconfig) s (setting)
where p.pronamespace in ('public'::regnamespace, 'interlock'::regnamespace)
  and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')
order by 1, 2, 3";

/// Functions with a body of their own. The catalogue of errors is generated and has its own tests.
const FUNCTIONS: &str = "
select p.proname, count(*) over (partition by p.proname) > 1, p.oid::regprocedure::text, pg_get_functiondef(p.oid)
from pg_proc p join pg_language l on l.oid = p.prolang
where p.pronamespace = 'interlock'::regnamespace and l.lanname in ('plpgsql', 'sql') and p.proname <> 'raise_error'
order by 1, 3";

/// All of them.
pub(super) async fn all(bench: &Bench) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let functions = bench.db.query(FUNCTIONS, &[]).await;
    for row in functions.expect("functions can be listed") {
        let object: String = row.get(0);
        let overloaded: bool = row.get(1);
        let shown: String = if overloaded {
            row.get(2)
        } else {
            object.clone()
        };
        for broken in break_source(row.get(3)) {
            mutants.push(Mutant {
                name: format!(
                    "{}: {}",
                    shown.trim_start_matches("interlock."),
                    broken.what
                ),
                kind: "function",
                object: object.clone(),
                sql: broken.source,
                undo: row.get(3),
            });
        }
    }
    let objects = bench.db.query(OBJECTS, &[]).await;
    for row in objects.expect("objects can be listed") {
        let kind: &str = row.get(0);
        mutants.push(Mutant {
            name: row.get(2),
            kind: ["access", "constraint", "setting", "trigger"]
                .into_iter()
                .find(|known| *known == kind)
                .expect("the query names these kinds only"),
            object: row.get(1),
            sql: row.get(3),
            undo: String::new(),
        });
    }
    mutants
}
