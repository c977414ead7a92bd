-- The platform's Storage: what is known of files. Who may read, write or delete one is said by the policies on them. The files
-- themselves are below .interlock (crates/stack/src/storage).
--
-- Run after platform.sql by a superuser, any number of times, and before the first migration.

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'supabase_storage_admin') then
    create role supabase_storage_admin nologin noinherit createrole;
  end if;
  -- The platform lets "postgres" make policies on files in another way, which needs an extension of theirs.
  if not (select rolsuper from pg_catalog.pg_roles where rolname = 'postgres') then
    grant supabase_storage_admin to postgres;
  end if;
end
$$;

create schema if not exists storage authorization supabase_storage_admin;
grant usage on schema storage to postgres, anon, authenticated, service_role;

create table if not exists storage.buckets (
  id text not null primary key,
  name text not null,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text
);
create unique index if not exists bname on storage.buckets (name);

create table if not exists storage.objects (
  id uuid not null default gen_random_uuid() primary key,
  bucket_id text constraint "objects_bucketId_fkey" references storage.buckets (id),
  name text,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  version text,
  owner_id text,
  user_metadata jsonb
);
create unique index if not exists bucketid_objname on storage.objects (bucket_id, name);
create index if not exists name_prefix_search on storage.objects (name text_pattern_ops);

create or replace function storage.foldername(name text)
returns text[]
language sql
immutable
as $$
  select (string_to_array(foldername.name, '/'))[1:array_length(string_to_array(foldername.name, '/'), 1) - 1]
$$;

create or replace function storage.filename(name text)
returns text
language sql
immutable
as $$
  select (string_to_array(filename.name, '/'))[array_length(string_to_array(filename.name, '/'), 1)]
$$;

create or replace function storage.extension(name text)
returns text
language sql
immutable
as $$
  select reverse(split_part(reverse(storage.filename(extension.name)), '.', 1))
$$;

create or replace function storage.operation()
returns text
language sql
stable
as $$
  select current_setting('storage.operation', true)
$$;

create or replace function storage.update_updated_at_column()
returns trigger
language plpgsql
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

-- A row that goes would leave its file behind.
create or replace function storage.protect_delete()
returns trigger
language plpgsql
as $$
begin
  if coalesce(current_setting('storage.allow_delete_query', true), 'false') <> 'true' then
    raise exception 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
      using hint = 'This prevents accidental data loss from orphaned objects.', errcode = '42501';
  end if;
  return null;
end
$$;

create or replace trigger update_objects_updated_at
  before update on storage.objects
  for each row
  execute function storage.update_updated_at_column();
create or replace trigger protect_buckets_delete
  before delete on storage.buckets
  for each statement
  execute function storage.protect_delete();
create or replace trigger protect_objects_delete
  before delete on storage.objects
  for each statement
  execute function storage.protect_delete();

do $$
declare
  v_name text;
begin
  foreach v_name in array array['buckets', 'objects'] loop
    execute format('alter table storage.%I owner to supabase_storage_admin', v_name);
    execute format('alter table storage.%I enable row level security', v_name);
    execute format('grant all on storage.%I to anon, authenticated, service_role', v_name);
    execute format('grant all on storage.%I to postgres with grant option', v_name);
  end loop;
  foreach v_name in array array[
    'foldername(text)', 'filename(text)', 'extension(text)', 'operation()', 'update_updated_at_column()', 'protect_delete()'
  ] loop
    execute format('alter function storage.%s owner to supabase_storage_admin', v_name);
  end loop;
end
$$;
