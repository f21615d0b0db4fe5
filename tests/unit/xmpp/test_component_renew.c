// Another secret or server at a reload: the stream ends in good order, and the next comes at once.
#include "unit/xmpp/component_fixture.h"

#include "text/hash.h"

static void renew(struct peer *p)
{
    component_renew(p->c, STR("new-secret"), STR("10.0.0.1:5347"), p->now);
}

// What the handshake to PROSODY_ID has to be with the new secret.
static void expect_new_digest(struct peer *p)
{
    struct arena a;
    uint8_t digest[20];
    arena_init(&a, 256);
    hash_sha1(STR(PROSODY_ID "new-secret"), digest);
    struct str wanted =
        arena_printf(&a, "<handshake>" STR_FMT "</handshake>", STR_ARG(hash_hex(&a, digest, sizeof digest)));
    assert_true(str_eq(strbuf_view(component_output(p->c)), wanted));
    strbuf_clear(component_output(p->c));
    arena_finish(&a);
}

static void comes_up_with_the_new_secret(struct peer *p)
{
    peer_connect(p);
    strbuf_clear(component_output(p->c));
    peer_feed(p, PROSODY_HEADER);
    expect_new_digest(p);
    peer_feed(p, HANDSHAKE_OK);
    assert_int_equal(component_state(p->c), COMPONENT_UP);
    strbuf_clear(component_output(p->c));
    strbuf_clear(&p->seen);
}

// Nothing that the server had taken for us is lost, and the outage is none to be told of.
static void renewal_of_a_link_that_is_up(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    peer_go_up(&p);
    peer_expect(&p, "up\n");
    strbuf_clear(component_output(p.c));
    renew(&p);
    peer_expect_output(&p, "</stream:stream>");
    assert_false(component_wants_connect(p.c));
    peer_feed(&p, "<message from='a@b' to='c@bridge.localhost'/></stream:stream>");
    peer_expect(&p, "message stanza\n");
    assert_true(component_wants_close(p.c));
    component_closed(p.c, ERR_OK, NULL, p.now);
    peer_expect(&p, "down\n");
    assert_int_equal(peer_count(&p.last_down, "success"), 0);
    assert_int_equal(peer_count(&p.logged, "link is down"), 0);
    comes_up_with_the_new_secret(&p);
    peer_finish(&p);
}

static void renewal_while_it_waits_is_tried_at_once(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    component_start(p.c, p.now);
    peer_connect(&p);
    peer_feed(&p, PROSODY_HEADER STREAM_ERROR("not-authorized", ""));
    assert_true(component_wants_close(p.c));
    component_closed(p.c, ERR_OK, NULL, p.now);
    assert_int_equal(component_state(p.c), COMPONENT_WAITING);
    renew(&p);
    comes_up_with_the_new_secret(&p);
    peer_finish(&p);
}

static void renewal_of_a_dial_gives_it_up(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    component_start(p.c, p.now);
    component_dialled(p.c, p.now);
    renew(&p);
    renew(&p); // twice makes no difference
    assert_true(component_wants_close(p.c) && component_wants_reset(p.c));
    component_closed(p.c, ERR_CLOSED, NULL, p.now);
    comes_up_with_the_new_secret(&p);
    peer_finish(&p);
}

static void renewal_before_the_dial(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    component_start(p.c, p.now);
    renew(&p);
    comes_up_with_the_new_secret(&p);
    peer_finish(&p);
}

// A server that does not end its stream is left after 5 s.
static void renewal_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    peer_go_up(&p);
    int64_t began = p.now;
    renew(&p);
    peer_wait(&p);
    assert_int_equal(p.now - began, 5000);
    assert_true(component_wants_reset(p.c));
    component_closed(p.c, ERR_CLOSED, NULL, p.now);
    comes_up_with_the_new_secret(&p);
    peer_finish(&p);
}

static void shutdown_ends_a_renewal(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    peer_go_up(&p);
    renew(&p);
    component_shutdown(p.c, p.now);
    component_closed(p.c, ERR_OK, NULL, p.now);
    assert_int_equal(component_state(p.c), COMPONENT_IDLE);
    assert_false(component_wants_connect(p.c));
    renew(&p);
    assert_false(component_wants_connect(p.c));
    peer_finish(&p);
}

// Told of the end, its owner shuts it down for good.
static void shutdown_from_inside_down(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    peer_go_up(&p);
    renew(&p);
    p.shutdown_on = "down";
    component_closed(p.c, ERR_OK, NULL, p.now);
    assert_int_equal(component_state(p.c), COMPONENT_IDLE);
    assert_false(component_wants_connect(p.c));
    peer_finish(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renewal_of_a_link_that_is_up),   cmocka_unit_test(renewal_while_it_waits_is_tried_at_once),
        cmocka_unit_test(renewal_of_a_dial_gives_it_up),  cmocka_unit_test(renewal_before_the_dial),
        cmocka_unit_test(renewal_does_not_wait_for_ever), cmocka_unit_test(shutdown_ends_a_renewal),
        cmocka_unit_test(shutdown_from_inside_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
