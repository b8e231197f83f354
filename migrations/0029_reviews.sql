-- +goose Up

-- What an installation is set to, by its people.
create table settings (
    singleton       boolean primary key default true check (singleton),
    review_launches boolean not null default false -- launches need a second person
);
insert into settings default values;

-- The person who made a key, as whom it acts where two people must do something;
-- empty: none is known. Of keys that were made by keys nobody is.
alter table api_keys add column owner text not null default '';
update api_keys k set owner = a.actor
from audit_log a
where a.action = 'key.create' and a.subject = k.id::text and a.actor not like 'key:%' and a.actor <> 'bootstrap';

-- The person who changed an experiment last; empty: not known.
alter table experiments add column edited_by text not null default '';
update experiments e set edited_by = v.changed_by
from experiment_versions v
where v.experiment_id = e.id and v.changed_by not like 'key:%'
  and v.revision = (select max(w.revision) from experiment_versions w where w.experiment_id = e.id);

-- Each time that a second person was asked, what it was about, and what came of it.
create table reviews (
    id            bigint generated always as identity primary key,
    experiment_id bigint not null references experiments (id),
    proposal      json not null check (json_typeof(proposal) = 'object'),
    digest        text not null check (digest ~ '^[0-9a-f]{64}$'),
    changes       json not null check (json_typeof(changes) = 'array'),
    target        json not null check (json_typeof(target) = 'object'),
    state         text not null check (state in ('waiting', 'approved', 'changes_requested', 'voided', 'done')),
    note          text not null default '',
    reviewer      text not null default '',
    asked_at      timestamptz not null,
    asked_by      text not null check (asked_by <> ''),
    author        text not null default '',
    decided_at    timestamptz,
    decided_by    text not null default '',
    comment       text not null default '',
    closed_at     timestamptz,
    constraint reviews_decided check ((decided_at is not null) = (decided_by <> '')),
    constraint reviews_by_another check (decided_by = '' or (lower(decided_by) <> lower(asked_by) and lower(decided_by) <> lower(author))),
    constraint reviews_approved check (state not in ('approved', 'done', 'changes_requested') or decided_at is not null),
    constraint reviews_closed check ((state in ('waiting', 'approved')) = (closed_at is null))
);
create index reviews_experiment on reviews (experiment_id, id);
create unique index reviews_one_open on reviews (experiment_id) where closed_at is null;
