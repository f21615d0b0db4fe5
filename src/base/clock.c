#include "base/clock.h"

#include "base/err.h"

#include <stdio.h>
#include <time.h>

enum { MS_SECOND = 1000, MS_MINUTE = 60 * MS_SECOND, MS_HOUR = 60 * MS_MINUTE, MS_DAY = 24 * MS_HOUR };

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    if (clock_gettime(id, &ts) != 0)
        err_fatal("clock_gettime failed");
    return (int64_t)ts.tv_sec * MS_SECOND + ts.tv_nsec / 1000000;
}

int64_t clock_mono(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

/* The proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March (after Howard Hinnant's public
 * description). */

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

struct str clock_put(char out[CLOCK_TEXT], int64_t wall)
{
    int64_t ms = clamp(wall, days_from_civil(0, 1, 1) * MS_DAY, days_from_civil(10000, 1, 1) * MS_DAY - 1);
    int64_t days = (ms >= 0 ? ms : ms - MS_DAY + 1) / MS_DAY;
    int rest = (int)(ms - days * MS_DAY);
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    int n = snprintf(out, CLOCK_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, rest / MS_HOUR,
                     rest / MS_MINUTE % 60, rest / MS_SECOND % 60);
    if (rest % MS_SECOND != 0)
        n += snprintf(out + n, CLOCK_TEXT - (size_t)n, ".%03d", rest % MS_SECOND);
    n += snprintf(out + n, CLOCK_TEXT - (size_t)n, "Z");
    return (struct str){out, (size_t)n};
}

struct str clock_format(struct arena *a, int64_t wall)
{
    char text[CLOCK_TEXT];
    return arena_dup(a, clock_put(text, wall));
}

// Takes exactly n digits from the front of *s.
static bool take_number(struct str *s, size_t n, int64_t *out)
{
    uint64_t v;
    if (s->n < n || !str_to_u64(str_sub(*s, 0, n), &v))
        return false;
    *out = (int64_t)v;
    *s = str_sub(*s, n, s->n);
    return true;
}

// Takes one character of `set` from the front of *s.
static bool take_char(struct str *s, const char *set, char *out)
{
    if (str_empty(*s) || s->p[0] == '\0' || !strchr(set, s->p[0]))
        return false;
    *out = s->p[0];
    *s = str_sub(*s, 1, s->n);
    return true;
}

static bool take_date(struct str *s, int64_t *days)
{
    static const int64_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    char c;
    if (!take_number(s, 4, &year) || !take_char(s, "-", &c) || !take_number(s, 2, &month) || !take_char(s, "-", &c) ||
        !take_number(s, 2, &day))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1] || (month == 2 && day == 29 && !leap))
        return false;
    *days = days_from_civil(year, month, day);
    return true;
}

// ".25" in milliseconds; digits beyond the third are dropped.
static bool take_fraction(struct str *s, int64_t *ms)
{
    int64_t digit, unit = 100;
    char c;
    *ms = 0;
    if (!take_char(s, ".", &c))
        return true;
    if (!take_number(s, 1, &digit))
        return false;
    do {
        *ms += digit * unit;
        unit /= 10;
    } while (take_number(s, 1, &digit));
    return true;
}

static bool take_time(struct str *s, int64_t *ms)
{
    int64_t hour, minute, second, fraction;
    char c;
    if (!take_number(s, 2, &hour) || !take_char(s, ":", &c) || !take_number(s, 2, &minute) || !take_char(s, ":", &c) ||
        !take_number(s, 2, &second) || !take_fraction(s, &fraction))
        return false;
    if (hour > 23 || minute > 59 || second > 60) // 60: a leap second, RFC 3339 section 5.7
        return false;
    *ms = hour * MS_HOUR + minute * MS_MINUTE + second * MS_SECOND + fraction;
    return true;
}

static bool take_zone(struct str *s, int64_t *offset)
{
    int64_t hour, minute;
    char c;
    *offset = 0;
    if (!take_char(s, "Zz+-", &c))
        return false;
    if (c == 'Z' || c == 'z')
        return true;
    char colon;
    if (!take_number(s, 2, &hour) || !take_char(s, ":", &colon) || !take_number(s, 2, &minute) || hour > 23 ||
        minute > 59)
        return false;
    *offset = (hour * MS_HOUR + minute * MS_MINUTE) * (c == '-' ? -1 : 1);
    return true;
}

bool clock_parse(struct str s, int64_t *wall)
{
    int64_t days, ms, offset;
    char c;
    if (!take_date(&s, &days) || !take_char(&s, "Tt", &c) || !take_time(&s, &ms) || !take_zone(&s, &offset) ||
        !str_empty(s))
        return false;
    *wall = days * MS_DAY + ms - offset;
    return true;
}

static const struct unit {
    const char *name;   // in the configuration
    const char *people; // in a text
    int64_t ms;
} units[] = {
    {"d", "d", MS_DAY}, {"h", "h", MS_HOUR}, {"m", "min", MS_MINUTE}, {"s", "s", MS_SECOND}, {"ms", "ms", 1},
};

enum { UNITS = sizeof units / sizeof units[0] };

struct str clock_span(struct arena *a, int64_t ms)
{
    for (size_t i = 0; i < UNITS; i++)
        if (ms >= units[i].ms)
            return arena_printf(a, "%lld %s", (long long)(ms / units[i].ms), units[i].people);
    return arena_dup(a, STR("0 s"));
}

bool clock_parse_span(struct str s, int64_t *ms)
{
    size_t n = 0;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    int64_t count;
    if (!str_to_i64(str_sub(s, 0, n), &count))
        return false;
    for (size_t i = 0; i < UNITS; i++) {
        if (!str_eq_c(str_sub(s, n, s.n), units[i].name))
            continue;
        if (count > INT64_MAX / units[i].ms)
            return false;
        *ms = count * units[i].ms;
        return true;
    }
    return false;
}
