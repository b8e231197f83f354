-- +goose Up

-- The quantities of an outcome are written and read as a whole, as the text of an
-- array (docs/adr/0017): PostgreSQL need not parse and print some sixty numbers for
-- each, and whole numbers as text take half the room. `quantities::float8[]` has
-- the array.
alter table outcomes alter column quantities type text collate "C" using quantities::text;
alter table restated_outcomes alter column quantities type text collate "C" using quantities::text;
alter table imported_outcomes alter column quantities type text collate "C" using quantities::text;
