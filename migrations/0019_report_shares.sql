
-- +goose Up

-- Reports that were frozen to be shown to people who do not sign in. The report is
-- kept as it was, so that neither later looks nor later versions change it.
create table report_shares (
    id            text collate "C" primary key,
    experiment_id bigint not null references experiments (id),
    version       int not null,
    look          int not null check (look >= 1),
    report        bytea not null,
    created_by    text not null,
    created_at    timestamptz not null,
    expires_at    timestamptz not null check (expires_at > created_at),
    revoked_by    text,
    revoked_at    timestamptz,
    check ((revoked_by is null) = (revoked_at is null))
);
create index report_shares_of_experiment on report_shares (experiment_id, created_at);

-- What signs the links, the same on every server: one row, made at first use.
create table share_key (
    one boolean primary key default true check (one),
    key bytea not null check (length(key) >= 32)
);
