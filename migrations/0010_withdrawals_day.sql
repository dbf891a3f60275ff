-- What all customers together withdraw in a day is added up under the pool's lock, so it must not read every row.
create index withdrawals_of_day on withdrawals (created_at);
