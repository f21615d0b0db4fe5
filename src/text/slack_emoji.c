/* The short codes that alerts, builds and bots use. */
#include "text/slack_markup.h"

#include "base/strbuf.h"

#include <stdlib.h>

enum { CODE_MAX = 32 };

struct emoji {
    const char *code, *text;
};

// Sorted by code, byte by byte.
static const struct emoji emojis[] = {
    {"+1", "👍"},
    {"-1", "👎"},
    {"100", "💯"},
    {"alarm_clock", "⏰"},
    {"ambulance", "🚑"},
    {"arrow_down", "⬇️"},
    {"arrow_right", "➡️"},
    {"arrow_up", "⬆️"},
    {"arrows_counterclockwise", "🔄"},
    {"ballot_box_with_check", "☑️"},
    {"bangbang", "‼️"},
    {"bar_chart", "📊"},
    {"bell", "🔔"},
    {"black_circle", "⚫"},
    {"boom", "💥"},
    {"broken_heart", "💔"},
    {"bug", "🐛"},
    {"bulb", "💡"},
    {"calendar", "📅"},
    {"chart_with_downwards_trend", "📉"},
    {"chart_with_upwards_trend", "📈"},
    {"clap", "👏"},
    {"clipboard", "📋"},
    {"cloud", "☁️"},
    {"construction", "🚧"},
    {"cry", "😢"},
    {"email", "📧"},
    {"exclamation", "❗"},
    {"eyes", "👀"},
    {"fire", "🔥"},
    {"gear", "⚙️"},
    {"green_circle", "🟢"},
    {"green_heart", "💚"},
    {"grey_exclamation", "❕"},
    {"grey_question", "❔"},
    {"hammer_and_wrench", "🛠️"},
    {"heart", "❤️"},
    {"heavy_check_mark", "✔️"},
    {"heavy_exclamation_mark", "❗"},
    {"heavy_multiplication_x", "✖️"},
    {"hourglass", "⌛"},
    {"hourglass_flowing_sand", "⏳"},
    {"information_source", "ℹ️"},
    {"joy", "😂"},
    {"key", "🔑"},
    {"large_blue_circle", "🔵"},
    {"large_green_circle", "🟢"},
    {"large_orange_circle", "🟠"},
    {"large_yellow_circle", "🟡"},
    {"link", "🔗"},
    {"lock", "🔒"},
    {"loudspeaker", "📢"},
    {"mag", "🔍"},
    {"mega", "📣"},
    {"memo", "📝"},
    {"moneybag", "💰"},
    {"muscle", "💪"},
    {"no_bell", "🔕"},
    {"no_entry", "⛔"},
    {"no_entry_sign", "🚫"},
    {"octagonal_sign", "🛑"},
    {"ok", "🆗"},
    {"ok_hand", "👌"},
    {"package", "📦"},
    {"page_facing_up", "📄"},
    {"paperclip", "📎"},
    {"point_right", "👉"},
    {"pray", "🙏"},
    {"pushpin", "📌"},
    {"question", "❓"},
    {"recycle", "♻️"},
    {"red_circle", "🔴"},
    {"repeat", "🔁"},
    {"robot_face", "🤖"},
    {"rocket", "🚀"},
    {"rotating_light", "🚨"},
    {"shield", "🛡️"},
    {"ship", "🚢"},
    {"skull", "💀"},
    {"slightly_smiling_face", "🙂"},
    {"smile", "😄"},
    {"snowflake", "❄️"},
    {"sos", "🆘"},
    {"sparkles", "✨"},
    {"speech_balloon", "💬"},
    {"star", "⭐"},
    {"stopwatch", "⏱️"},
    {"tada", "🎉"},
    {"thinking_face", "🤔"},
    {"thumbsdown", "👎"},
    {"thumbsup", "👍"},
    {"trophy", "🏆"},
    {"warning", "⚠️"},
    {"wastebasket", "🗑️"},
    {"wave", "👋"},
    {"white_check_mark", "✅"},
    {"white_circle", "⚪"},
    {"wrench", "🔧"},
    {"x", "❌"},
    {"zap", "⚡"},
};

static int compare_code(const void *key, const void *emoji)
{
    return str_cmp(*(const struct str *)key, str_c(((const struct emoji *)emoji)->code));
}

struct str slack_markup_emoji(struct str code)
{
    const struct emoji *hit = bsearch(&code, emojis, sizeof emojis / sizeof emojis[0], sizeof *emojis, compare_code);
    return hit ? str_c(hit->text) : STR_NONE;
}

static bool is_word(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9');
}

struct str slack_markup_emojis(struct arena *a, struct str text)
{
    struct strbuf b;
    size_t from = 0;
    if (str_find(text, ':') < 0)
        return text;
    strbuf_init(&b, 4 * text.n);
    for (size_t at = 0; at < text.n; at++) {
        if (text.p[at] != ':' || (at > 0 && is_word(text.p[at - 1])))
            continue;
        struct str code, rest, near = str_sub(text, at + 1, at + 1 + CODE_MAX);
        struct str emoji = str_cut(near, ':', &code, &rest) ? slack_markup_emoji(code) : STR_NONE;
        if (str_empty(emoji))
            continue;
        (void)(strbuf_str(&b, str_sub(text, from, at)) && strbuf_str(&b, emoji));
        from = at + code.n + 2;
        at = from - 1;
    }
    (void)strbuf_str(&b, str_sub(text, from, text.n));
    struct str done = from > 0 ? arena_dup(a, strbuf_view(&b)) : text;
    strbuf_finish(&b);
    return done;
}
