-- What operators were told and is not over yet, so that each trouble is told once, however many replicas see it.
create table outbox_alerts (
  name text constraint outbox_alerts_pk primary key,
  raised_at timestamptz not null default now(),
  -- Told again after a day, in case the first word was overlooked.
  told_at timestamptz not null default now()
);
