//! What a user does with a clone: push the migrations to databases of all kinds, verify them, deploy the
//! functions. By the real Supabase CLI; on databases of their own beside the one in `DB_URL`, whose server
//! must let `INTERLOCK_ADMIN_DB_URL` create them.

mod audit;
mod cli;
mod deploy;
mod docs;
mod doctor;
mod import_stock;
mod jobs;
mod move_shop;
mod move_shop_tls;
mod push;
mod recorder;
mod schemas;
mod scratch;
mod uninstall;
mod verify;
