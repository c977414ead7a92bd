set local lock_timeout = '5s';

select interlock.conceal('linked_products');
select interlock.conceal('linked_customers');
select interlock.unlink_products(l.source) from interlock.product_links l where l.active;
select interlock.unlink_orders(l.target) from interlock.order_links l;
select interlock.unlink_customers(l.source) from interlock.customer_links l where l.active;
drop function
  interlock.bring_customers,
  interlock.bring_products,
  interlock.column_of,
  interlock.customer_drift,
  interlock.drop_link_triggers,
  interlock.erase_linked_row,
  interlock.fill_customers,
  interlock.fill_link,
  interlock.fill_links,
  interlock.fill_orders,
  interlock.find_column_problems,
  interlock.find_customer_link_problems,
  interlock.find_link_problems,
  interlock.find_order_link_problems,
  interlock.find_order_trial_problems,
  interlock.find_people_problems,
  interlock.find_source_problems,
  interlock.find_table_problems,
  interlock.left_to_fill,
  interlock.link_customers,
  interlock.link_orders,
  interlock.link_products,
  interlock.make_link_triggers,
  interlock.match_people,
  interlock.move_linked_stock,
  interlock.next_to_fill,
  interlock.order_drift,
  interlock.order_fields,
  interlock.order_row,
  interlock.product_drift,
  interlock.put_order_row,
  interlock.read_people,
  interlock.read_source,
  interlock.source_name,
  interlock.source_problems,
  interlock.try_write_back,
  interlock.type_of,
  interlock.unlink_customers,
  interlock.unlink_orders,
  interlock.unlink_products,
  interlock.write_back_stock,
  interlock.write_order_out,
  interlock.write_order_row,
  interlock.write_people;
drop table
  interlock.stock_write_backs,
  interlock.order_write_outs,
  interlock.order_links,
  interlock.linked_products,
  interlock.linked_customers,
  interlock.linked_changes,
  interlock.customer_links,
  interlock.product_links;
drop type
  interlock.linked_move,
  interlock.linked_person,
  interlock.source_row;
drop function
  interlock.bring_linked_changes,
  interlock.erase_linked_rows,
  interlock.note_linked_changes,
  interlock.note_linked_people,
  interlock.write_linked_order,
  interlock.write_stock_back,
  interlock.is_currency;
