
-- +goose Up

-- What people said about a row of a report at a look. It is kept as it was said.
create table report_comments (
    id            bigint generated always as identity primary key,
    experiment_id bigint not null references experiments (id),
    version       int not null,
    look          int not null check (look >= 1),
    metric        text collate "C" not null, -- empty: the report as a whole
    arm           text collate "C" not null,
    author        text not null,
    at            timestamptz not null,
    text          text not null check (text <> '')
);
create index report_comments_of_experiment on report_comments (experiment_id, id);

create trigger report_comments_append_only before update or delete or truncate on report_comments
    for each statement execute function refuse_change();
