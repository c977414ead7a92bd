set local lock_timeout = '5s';

select interlock.conceal('linked_products');
select interlock.unlink_products(l.source) from interlock.product_links l where l.active;
drop function
  interlock.bring_products,
  interlock.fill_link,
  interlock.fill_links,
  interlock.find_link_problems,
  interlock.find_source_problems,
  interlock.link_products,
  interlock.move_linked_stock,
  interlock.product_drift,
  interlock.read_source,
  interlock.source_name,
  interlock.source_problems,
  interlock.try_write_back,
  interlock.unlink_products,
  interlock.write_back_stock;
drop table
  interlock.stock_write_backs,
  interlock.linked_products,
  interlock.linked_changes,
  interlock.product_links;
drop type
  interlock.linked_move,
  interlock.source_row;
drop function
  interlock.bring_linked_changes,
  interlock.note_linked_changes,
  interlock.write_stock_back,
  interlock.is_currency;
