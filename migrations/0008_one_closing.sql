-- +goose Up

-- All windows of an exposure close a fixed time after its shortest one, so that
-- one column and one index serve them all, and those still to be invented. An
-- exposure that was recorded later than the shortest span closes its longer
-- windows as much later: docs/adr/0007.
drop index exposures_day_closes;
alter table exposures drop constraint exposures_close_after_recorded;
alter table exposures drop column day_closes_at;
alter table exposures add constraint exposures_close_after_recorded check (first_closes_at > recorded_at);
alter index exposures_first_closes rename to exposures_closes;
