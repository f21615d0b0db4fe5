#include "store/store_table.h"

#include <stdio.h>

#define COLUMN(type, member)                                                                                           \
    {                                                                                                                  \
        COLUMN_##type, offsetof(struct row, member)                                                                    \
    }
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct store_column identity[] = {
    COLUMN(TEXT, domain), COLUMN(TEXT, local),    COLUMN(TEXT, scope),       COLUMN(TEXT, adapter),
    COLUMN(TEXT, key),    COLUMN(KIND, identity), COLUMN(FLAG, quarantined), COLUMN(TEXT, name),
    COLUMN(TEXT, cls),    COLUMN(TEXT, group),    COLUMN(TIME, since),
};
static const struct store_column subscription[] = {
    COLUMN(TEXT, user),
    COLUMN(TEXT, domain),
    COLUMN(TEXT, local),
    COLUMN(SET, state),
};
static const struct store_column registration[] = {COLUMN(TEXT, user), COLUMN(TEXT, domain)};
static const struct store_column access[] = {COLUMN(NUMBER, number), COLUMN(TEXT, text)};
static const struct store_column state[] = {COLUMN(TEXT, adapter), COLUMN(TEXT, key), COLUMN(BLOB, text)};
static const struct store_column lane[] = {
    COLUMN(TEXT, adapter), COLUMN(NUMBER, trimmed), COLUMN(NUMBER, settled), COLUMN(NUMBER, number), COLUMN(TEXT, user),
    COLUMN(TEXT, text),    COLUMN(NUMBER, dead),    COLUMN(NUMBER, expired), COLUMN(TIME, since),
};
static const struct store_column record[] = {
    COLUMN(TEXT, adapter), COLUMN(NUMBER, number), COLUMN(TEXT, key),   COLUMN(TEXT, user),  COLUMN(TEXT, id),
    COLUMN(TEXT, text),    COLUMN(TYPE, state),    COLUMN(TIME, stamp), COLUMN(TIME, since), COLUMN(TEXT, name),
};
static const struct store_column letter[] = {
    COLUMN(NUMBER, number), COLUMN(TEXT, adapter), COLUMN(NUMBER, record), COLUMN(TEXT, local),
    COLUMN(TEXT, user),     COLUMN(TEXT, id),      COLUMN(LETTER, state),  COLUMN(COUNT, attempts),
    COLUMN(TIME, since),    COLUMN(TIME, next),    COLUMN(TEXT, text),
};
static const struct store_column ask[] = {
    COLUMN(NUMBER, number), COLUMN(TEXT, user),  COLUMN(TEXT, domain), COLUMN(TEXT, local),
    COLUMN(TEXT, id),       COLUMN(TYPE, state), COLUMN(TIME, since),  COLUMN(TEXT, text),
};

static const struct store_column guest[] = {
    COLUMN(TEXT, domain), COLUMN(TEXT, local), COLUMN(TEXT, user), COLUMN(TEXT, name), COLUMN(TIME, since),
};

const struct store_table store_tables[ROW_KINDS] = {
    [ROW_IDENTITY] =
        {
            .name = "identity",
            .put = "INSERT OR REPLACE INTO identity VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            .remove = "DELETE FROM identity WHERE domain = ?1 AND local = ?2 AND scope = ?3",
            .load = "SELECT domain, local, scope, adapter, key, kind, quarantined, name, cls, grp, since, sum FROM "
                    "identity",
            .column = identity,
            .columns = COUNT(identity),
            .keys = 3,
        },
    [ROW_SUBSCRIPTION] =
        {
            .name = "subscription",
            .put = "INSERT OR REPLACE INTO subscription VALUES (?1, ?2, ?3, ?4, ?5)",
            .remove = "DELETE FROM subscription WHERE user = ?1 AND domain = ?2 AND local = ?3",
            .load = "SELECT user, domain, local, state, sum FROM subscription",
            .column = subscription,
            .columns = COUNT(subscription),
            .keys = 3,
        },
    [ROW_REGISTRATION] =
        {
            .name = "registration",
            .put = "INSERT OR REPLACE INTO registration VALUES (?1, ?2, ?3)",
            .remove = "DELETE FROM registration WHERE user = ?1 AND domain = ?2",
            .load = "SELECT user, domain, sum FROM registration",
            .column = registration,
            .columns = COUNT(registration),
            .keys = 2,
        },
    [ROW_ACCESS] =
        {
            .name = "access",
            .put = "INSERT OR REPLACE INTO access VALUES (?1, ?2, ?3)",
            .remove = "DELETE FROM access WHERE number = ?1",
            .load = "SELECT number, rule, sum FROM access ORDER BY number",
            .column = access,
            .columns = COUNT(access),
            .keys = 1,
        },
    [ROW_STATE] =
        {
            .name = "state",
            .put = "INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3, ?4)",
            .remove = "DELETE FROM state WHERE adapter = ?1 AND key = ?2",
            .load = "SELECT adapter, key, value, sum FROM state",
            .column = state,
            .columns = COUNT(state),
            .keys = 2,
        },
    [ROW_LANE] =
        {
            .name = "lane",
            .put = "INSERT OR REPLACE INTO lane VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            .remove = "DELETE FROM lane WHERE adapter = ?1",
            .load = "SELECT adapter, trimmed, settled, fenced, user, boot, dead, expired, since, sum FROM lane",
            .after = "DELETE FROM journal WHERE adapter = ?1 AND number <= ?2"
                     " AND number NOT IN (SELECT record FROM letter WHERE adapter = ?1)",
            .column = lane,
            .columns = COUNT(lane),
            .keys = 1,
        },
    [ROW_RECORD] =
        {
            .name = "journal",
            .put = "INSERT OR REPLACE INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?11, ?10)",
            .remove = "DELETE FROM journal WHERE adapter = ?1 AND number = ?2",
            .load = "SELECT adapter, number, key, user, id, body, type, stamp, at, extra, sum FROM journal ORDER BY "
                    "adapter, number",
            .column = record,
            .columns = COUNT(record),
            .keys = 2,
        },
    [ROW_LETTER] =
        {
            .name = "letter",
            .put = "INSERT OR REPLACE INTO letter VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            .remove = "DELETE FROM letter WHERE number = ?1",
            .load =
                "SELECT number, adapter, record, local, user, id, state, attempts, since, next, why, sum FROM letter"
                " ORDER BY number",
            .column = letter,
            .columns = COUNT(letter),
            .keys = 1,
        },
    [ROW_ASK] =
        {
            .name = "ask",
            .put = "INSERT OR REPLACE INTO ask VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            .remove = "DELETE FROM ask WHERE number = ?1",
            .load = "SELECT number, user, domain, local, id, type, at, why, sum FROM ask ORDER BY number",
            .column = ask,
            .columns = COUNT(ask),
            .keys = 1,
        },
    [ROW_GUEST] =
        {
            .name = "guest",
            .put = "INSERT OR REPLACE INTO guest VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            .remove = "DELETE FROM guest WHERE domain = ?1 AND local = ?2 AND room = ?3",
            .load = "SELECT domain, local, room, nick, since, sum FROM guest",
            .column = guest,
            .columns = COUNT(guest),
            .keys = 3,
        },
};

static bool is_str(const struct store_column *c)
{
    return c->type == COLUMN_TEXT || c->type == COLUMN_BLOB;
}

const struct str *store_table_str(const struct row *row, const struct store_column *c)
{
    return is_str(c) ? (const struct str *)(const void *)((const char *)row + c->offset) : NULL;
}

struct str *store_table_str_of(struct row *row, const struct store_column *c)
{
    return is_str(c) ? (struct str *)(void *)((char *)row + c->offset) : NULL;
}

int64_t store_table_number(const struct row *row, const struct store_column *c)
{
    const char *at = (const char *)row + c->offset;
    uint32_t u32;
    int64_t i64;
    switch (c->type) {
    case COLUMN_KIND:
        return row->identity;
    case COLUMN_FLAG:
        return row->quarantined;
    case COLUMN_SET:
    case COLUMN_TYPE:
    case COLUMN_LETTER:
    case COLUMN_COUNT:
        memcpy(&u32, at, sizeof u32);
        return u32;
    default:
        memcpy(&i64, at, sizeof i64);
        return i64;
    }
}

static void set_unsigned(struct row *row, const struct store_column *c, int64_t n)
{
    uint32_t u32 = (uint32_t)n;
    memcpy((char *)row + c->offset, &u32, sizeof u32);
}

bool store_table_set_number(struct row *row, const struct store_column *c, int64_t n)
{
    switch (c->type) {
    case COLUMN_KIND:
        row->identity = (enum identity_kind)n;
        return n >= 0 && n < IDENTITY_KINDS;
    case COLUMN_FLAG:
        row->quarantined = n != 0;
        return n == 0 || n == 1;
    case COLUMN_SET:
        set_unsigned(row, c, n);
        return n >= 0 && n <= SUB_ALL;
    case COLUMN_TYPE:
        set_unsigned(row, c, n);
        return n >= 0 && n <= MESSAGE_HEADLINE;
    case COLUMN_LETTER:
        set_unsigned(row, c, n);
        return n >= 0 && n < LETTER_STATES;
    case COLUMN_COUNT:
        set_unsigned(row, c, n);
        return n >= 0 && n <= UINT32_MAX;
    default:
        memcpy((char *)row + c->offset, &n, sizeof n);
        return true;
    }
}

struct str store_table_column(enum row_kind kind, unsigned at)
{
    struct str rest = str_c(store_tables[kind].load), name;
    rest = str_sub(rest, sizeof "SELECT " - 1, (size_t)str_find_str(rest, STR(" FROM ")));
    for (unsigned i = 0; i <= at; i++)
        (void)str_cut(str_trim(rest), ',', &name, &rest);
    return name;
}

enum row_kind store_table_find(struct str name)
{
    unsigned kind = 0;
    while (kind < ROW_KINDS && !str_eq_c(name, store_tables[kind].name))
        kind++;
    return (enum row_kind)kind;
}

static int bind_str(sqlite3_stmt *stmt, int at, struct str s, bool blob)
{
    const char *p = s.n ? s.p : "";
    if (blob)
        return sqlite3_bind_blob64(stmt, at, p, s.n, SQLITE_STATIC);
    return sqlite3_bind_text64(stmt, at, p, s.n, SQLITE_STATIC, SQLITE_UTF8);
}

/* A sum over what is in the columns, so that a row which the disk has changed is not taken for one that we wrote. Any
 * change of one word changes it. */
static uint64_t sum_word(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 32;
}

static uint64_t sum_str(uint64_t sum, struct str s)
{
    sum = sum_word(sum, s.n);
    for (size_t at = 0; at < s.n; at += sizeof sum) {
        uint64_t word = 0;
        memcpy(&word, s.p + at, s.n - at < sizeof word ? s.n - at : sizeof word);
        sum = sum_word(sum, word);
    }
    return sum;
}

static int64_t sum_of(const struct row *row, const struct store_table *t)
{
    uint64_t sum = t->columns;
    for (unsigned i = 0; i < t->columns; i++) {
        const struct str *s = store_table_str(row, &t->column[i]);
        sum = s ? sum_str(sum, *s) : sum_word(sum, (uint64_t)store_table_number(row, &t->column[i]));
    }
    return (int64_t)sum;
}

static int bind_columns(sqlite3_stmt *stmt, const struct row *row, unsigned count)
{
    const struct store_table *t = &store_tables[row->kind];
    int rc = SQLITE_OK;
    for (unsigned i = 0; i < count && rc == SQLITE_OK; i++) {
        const struct store_column *c = &t->column[i];
        const struct str *s = store_table_str(row, c);
        int at = (int)i + 1;
        rc = s ? bind_str(stmt, at, *s, c->type == COLUMN_BLOB)
               : sqlite3_bind_int64(stmt, at, store_table_number(row, c));
    }
    return rc;
}

int store_table_bind(sqlite3_stmt *stmt, const struct row *row)
{
    const struct store_table *t = &store_tables[row->kind];
    unsigned parameters = (unsigned)sqlite3_bind_parameter_count(stmt);
    int rc = bind_columns(stmt, row, parameters < t->columns ? parameters : t->columns);
    if (rc == SQLITE_OK && parameters > t->columns)
        rc = sqlite3_bind_int64(stmt, (int)parameters, sum_of(row, t));
    return rc;
}

static struct str read_str(sqlite3_stmt *stmt, int at, bool blob)
{
    const void *p = blob ? sqlite3_column_blob(stmt, at) : (const void *)sqlite3_column_text(stmt, at);
    return (struct str){p ? p : "", p ? (size_t)sqlite3_column_bytes(stmt, at) : 0};
}

struct row_name {
    char text[160];
};

static struct row_name name_of(sqlite3_stmt *stmt, const struct store_table *t)
{
    struct row_name name = {""};
    for (unsigned i = 0, n = 0; i < t->keys && n < sizeof name.text; i++) {
        const char *value = (const char *)sqlite3_column_text(stmt, (int)i);
        n += (unsigned)snprintf(name.text + n, sizeof name.text - n, "%s%s='%s'", i ? " AND " : "",
                                sqlite3_column_name(stmt, (int)i), value ? value : "");
    }
    return name;
}

static enum err damaged(sqlite3_stmt *stmt, const struct store_table *t, struct errmsg *msg)
{
    return err_set(msg, ERR_CONF,
                   "%s: in table %s, the row %s is not as it was written: restore a backup, or delete this row",
                   sqlite3_db_filename(sqlite3_db_handle(stmt), "main"), t->name, name_of(stmt, t).text);
}

static enum err strange(sqlite3_stmt *stmt, const struct store_table *t, unsigned at, struct errmsg *msg)
{
    return err_set(msg, ERR_CONF,
                   "%s: in table %s, the row %s has a %s that was never written there, %lld: restore a backup, or "
                   "delete this row",
                   sqlite3_db_filename(sqlite3_db_handle(stmt), "main"), t->name, name_of(stmt, t).text,
                   sqlite3_column_name(stmt, (int)at), (long long)sqlite3_column_int64(stmt, (int)at));
}

enum err store_table_read(sqlite3_stmt *stmt, enum row_kind kind, struct row *out, struct errmsg *msg)
{
    const struct store_table *t = &store_tables[kind];
    *out = (struct row){.kind = kind};
    for (unsigned i = 0; i < t->columns; i++) {
        const struct store_column *c = &t->column[i];
        struct str *s = store_table_str_of(out, c);
        if (s)
            *s = read_str(stmt, (int)i, c->type == COLUMN_BLOB);
        else if (!store_table_set_number(out, c, sqlite3_column_int64(stmt, (int)i)))
            return strange(stmt, t, i, msg);
    }
    // A row that an earlier version wrote has none.
    bool summed = sqlite3_column_type(stmt, (int)t->columns) != SQLITE_NULL;
    bool same = !summed || sqlite3_column_int64(stmt, (int)t->columns) == sum_of(out, t);
    return same ? ERR_OK : damaged(stmt, t, msg);
}
