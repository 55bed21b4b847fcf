/* A session of hiredis, which is no cluster client: the session follows redirections itself. session host:port…, the tags
 * of its keys in COBBLE_TAGS. What it does and prints is said at session and external in session_test.go.
 * hiredis 0.14 knows RESP2 only: invalidations of tracked keys come as messages to another connection. */
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <unistd.h>

enum { MAX_NODES = 16, SLOTS = 16384, MAX_ERRORS = 32, PATIENCE = 30 };

/* Each thread has connections and routes of its own. */
static char **seeds;
static int seed_count;
static _Thread_local struct { char addr[64]; redisContext *ctx; } nodes[MAX_NODES];
static _Thread_local int node_count;
static _Thread_local unsigned char route[SLOTS]; /* slot → index in nodes */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { char text[80]; int times; } errors[MAX_ERRORS];
static int error_count;
static long popped;
static volatile int told;

static void note(const char *text) {
	pthread_mutex_lock(&lock);
	int i = 0;
	while (i < error_count && strncmp(errors[i].text, text, sizeof errors[i].text - 1)) i++;
	if (i == error_count && i < MAX_ERRORS) snprintf(errors[error_count++].text, sizeof errors[i].text, "%s", text);
	if (i < MAX_ERRORS) errors[i].times++;
	pthread_mutex_unlock(&lock);
	usleep(10000); /* a pause between attempts */
}

static void give_up(const char *what, const char *why) {
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static int slot_of(const char *key) {
	const char *end = key + strlen(key), *open = strchr(key, '{'), *close = open ? strchr(open, '}') : NULL;
	if (close && close > open + 1) key = open + 1, end = close;
	unsigned crc = 0;
	for (; key < end; key++) {
		crc ^= (unsigned char)*key << 8;
		for (int bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
	}
	return crc & (SLOTS - 1);
}

static int node_of(const char *addr) {
	for (int i = 0; i < node_count; i++)
		if (strcmp(nodes[i].addr, addr) == 0) return i;
	if (node_count == MAX_NODES) give_up(addr, "too many nodes");
	snprintf(nodes[node_count].addr, sizeof nodes[0].addr, "%s", addr);
	return node_count++;
}

static redisContext *dial(const char *addr) {
	char host[64];
	snprintf(host, sizeof host, "%s", addr);
	char *colon = strrchr(host, ':');
	*colon = 0;
	struct timeval second = {1, 0}, patience = {PATIENCE, 0};
	redisContext *c = redisConnectWithTimeout(host, atoi(colon + 1), second);
	if (c && c->err) {
		redisFree(c);
		return NULL;
	}
	if (c) redisSetTimeout(c, patience);
	return c;
}

typedef struct { char *text; int len; } Command;

static Command command(const char *format, ...) {
	Command c;
	va_list args;
	va_start(args, format);
	c.len = redisvFormatCommand(&c.text, format, args);
	va_end(args);
	return c;
}

/* attempt sends commands in one pipeline; an error that a client of a cluster tries again after is noted, and gives 0. */
static int attempt(int slot, int *asking, Command *commands, int n, redisReply **replies) {
	int to = *asking >= 0 ? *asking : route[slot];
	if (nodes[to].ctx == NULL) nodes[to].ctx = dial(nodes[to].addr);
	redisContext *c = nodes[to].ctx;
	void *asked = NULL;
	int got = 0, ok = c != NULL;
	if (ok && *asking >= 0) redisAppendCommand(c, "ASKING");
	for (int i = 0; ok && i < n; i++) redisAppendFormattedCommand(c, commands[i].text, commands[i].len);
	if (ok && *asking >= 0) ok = redisGetReply(c, &asked) == REDIS_OK;
	if (asked) freeReplyObject(asked);
	*asking = -1;
	while (ok && got < n)
		if ((ok = redisGetReply(c, (void **)&replies[got]) == REDIS_OK)) got++;
	if (!ok) {
		if (c) redisFree(c);
		nodes[to].ctx = NULL;
		route[slot] = (to + 1) % node_count;
		note("connection lost");
	}
	for (int i = 0; ok && i < n; i++) {
		char word[16] = "", addr[64] = "";
		if (replies[i]->type != REDIS_REPLY_ERROR) continue;
		sscanf(replies[i]->str, "%15s %*d %63s", word, addr);
		int moved = strcmp(word, "MOVED") == 0, ask = strcmp(word, "ASK") == 0;
		if (moved) route[slot] = node_of(addr);
		else if (ask && n == 1) *asking = node_of(addr);
		else if (ask || !strcmp(word, "CLUSTERDOWN") || !strcmp(word, "TRYAGAIN") || !strcmp(word, "LOADING") || !strcmp(word, "UNBLOCKED")) note(replies[i]->str);
		else continue;
		ok = 0;
	}
	for (int i = 0; !ok && i < got; i++) freeReplyObject(replies[i]);
	return ok;
}

/* converse sends commands for one key until they are answered, and gives up after a while. */
static void converse(const char *key, Command *commands, int n, redisReply **replies) {
	int slot = slot_of(key), asking = -1, tries = 0;
	while (!attempt(slot, &asking, commands, n, replies))
		if (++tries > 100 * PATIENCE) give_up(key, "no answer");
	for (int i = 0; i < n; i++) redisFreeCommand(commands[i].text);
}

static redisReply *say(const char *key, Command c) {
	redisReply *r;
	converse(key, &c, 1, &r);
	return r;
}

static void print(redisReply *r, char *out, size_t size) {
	size_t n = strlen(out);
	switch (r->type) {
	case REDIS_REPLY_INTEGER: snprintf(out + n, size - n, "%lld", r->integer); break;
	case REDIS_REPLY_NIL: snprintf(out + n, size - n, "nil"); break;
	case REDIS_REPLY_ARRAY:
		strncat(out, "[", size - n - 1);
		for (size_t i = 0; i < r->elements; i++) {
			if (i) strncat(out, " ", size - strlen(out) - 1);
			print(r->element[i], out, size);
		}
		strncat(out, "]", size - strlen(out) - 1);
		break;
	default: snprintf(out + n, size - n, "%s", r->str);
	}
}

/* is compares a reply, printed, with what it should be, and frees it. */
static void is(const char *what, redisReply *r, const char *want) {
	char got[1024] = "";
	if (r == NULL) give_up(what, "no reply");
	print(r, got, sizeof got);
	freeReplyObject(r);
	if (strcmp(got, want) == 0) return;
	fprintf(stderr, "%s: %s, want %s\n", what, got, want);
	exit(1);
}

static void all_are(const char *what, const char *key, Command *commands, int n, const char **want) {
	redisReply *replies[16];
	converse(key, commands, n, replies);
	for (int i = 0; i < n; i++) is(what, replies[i], want[i]);
}

/* own gives a new connection to the node that serves a key. */
static redisContext *own(const char *key) {
	freeReplyObject(say(key, command("EXISTS %s", key)));
	redisContext *c = dial(nodes[route[slot_of(key)]].addr);
	if (c == NULL) give_up(key, "no connection");
	return c;
}

static redisReply *heard(redisContext *c) {
	void *r = NULL;
	redisGetReply(c, &r);
	return r;
}

static void types(void) {
	const struct { const char *key, *line, *want; } talk[] = {
		{"{c}h", "HSET %s a 1 b 2", "2"}, {"{c}h", "HGETALL %s", "[a 1 b 2]"}, {"{c}h", "INCR %s", "WRONGTYPE Operation against a key holding the wrong kind of value"},
		{"{c}l", "RPUSH %s a b c", "3"}, {"{c}l", "LRANGE %s 0 -1", "[a b c]"}, {"{c}s", "SADD %s 1 2 3", "3"}, {"{c}s", "SISMEMBER %s 4", "0"},
		{"{c}z", "ZADD %s 1 one 2.5 two", "2"}, {"{c}z", "ZRANGE %s 0 -1 WITHSCORES", "[one 1 two 2.5]"}, {"{c}none", "GET %s", "nil"},
		{"{c}st", "XADD %s 1-1 f v", "1-1"}, {"{c}st", "XGROUP CREATE %s g 0", "OK"}, {"{c}st", "XREADGROUP GROUP g me STREAMS %s >", "[[{c}st [[1-1 [f v]]]]]"}, {"{c}st", "XACK %s g 1-1", "1"},
	};
	for (size_t i = 0; i < sizeof talk / sizeof *talk; i++) is(talk[i].line, say(talk[i].key, command(talk[i].line, talk[i].key)), talk[i].want);
}

static void pipeline(void) {
	Command c[] = {command("APPEND {c}p x"), command("APPEND {c}p y"), command("GET {c}p")};
	all_are("pipeline", "{c}p", c, 3, (const char *[]){"1", "2", "xy"});
}

static void transaction(void) {
	Command c[] = {command("MULTI"), command("INCR {c}n"), command("INCRBY {c}n 4"), command("EXEC")};
	all_are("transaction", "{c}n", c, 4, (const char *[]){"OK", "QUEUED", "QUEUED", "[1 5]"});
}

static void watch(void) {
	redisContext *other = own("{c}n");
	for (int meddle = 1; meddle >= 0; meddle--) {
		is("WATCH", say("{c}n", command("WATCH {c}n")), "OK");
		if (meddle) is("SET", redisCommand(other, "SET {c}n changed"), "OK");
		Command c[] = {command("MULTI"), command("GET {c}n"), command("EXEC")};
		all_are("watch", "{c}n", c, 3, (const char *[]){"OK", "QUEUED", meddle ? "nil" : "[changed]"});
	}
	redisFree(other);
}

static void evalsha(void) {
	redisReply *sha = say("{c}m", command("SCRIPT LOAD %s", "return redis.call('INCRBY', KEYS[1], ARGV[1])"));
	is("EVALSHA", say("{c}m", command("EVALSHA %s 1 {c}m 5", sha->str)), "5");
	freeReplyObject(sha);
	is("EVALSHA", say("{c}m", command("EVALSHA 0000000000000000000000000000000000000000 1 {c}m")), "NOSCRIPT No matching script. Please use EVAL.");
}

static void fcall(void) { is("FCALL", say("{c}f", command("FCALL put 1 {c}f v")), "OK"); }

static void listens(const char *subscribe, const char *publish, const char *message) {
	char want[64];
	redisContext *sub = own("{c}news");
	redisAppendCommand(sub, "%s {c}news", subscribe);
	snprintf(want, sizeof want, "[%s {c}news 1]", strcmp(subscribe, "SUBSCRIBE") ? "ssubscribe" : "subscribe");
	is(subscribe, heard(sub), want);
	freeReplyObject(say("{c}news", command("%s {c}news hello", publish)));
	snprintf(want, sizeof want, "[%s {c}news hello]", message);
	is(publish, heard(sub), want);
	redisFree(sub);
}

static void pubsub(void) { listens("SUBSCRIBE", "PUBLISH", "message"); }
static void shardpubsub(void) { listens("SSUBSCRIBE", "SPUBLISH", "smessage"); }

static void blpop(void) {
	redisContext *waiting = own("{c}wait");
	int sent = 0;
	redisAppendCommand(waiting, "BLPOP {c}wait %d", PATIENCE);
	while (!sent) redisBufferWrite(waiting, &sent);
	is("RPUSH", say("{c}wait", command("RPUSH {c}wait came")), "1");
	is("BLPOP", heard(waiting), "[{c}wait came]");
	redisFree(waiting);
}

static void xread(void) {
	redisContext *waiting = own("{c}x");
	int sent = 0;
	redisAppendCommand(waiting, "XREAD BLOCK %d STREAMS {c}x 0", 1000 * PATIENCE);
	while (!sent) redisBufferWrite(waiting, &sent);
	is("XADD", say("{c}x", command("XADD {c}x 1-1 f v")), "1-1");
	is("XREAD", heard(waiting), "[[{c}x [[1-1 [f v]]]]]");
	redisFree(waiting);
}

static void tracking(void) {
	is("SET", say("{c}t", command("SET {c}t before")), "OK");
	redisContext *reader = own("{c}t"), *listener = own("{c}t");
	redisReply *id = redisCommand(listener, "CLIENT ID");
	redisAppendCommand(listener, "SUBSCRIBE __redis__:invalidate");
	is("SUBSCRIBE", heard(listener), "[subscribe __redis__:invalidate 1]");
	is("CLIENT TRACKING", redisCommand(reader, "CLIENT TRACKING ON REDIRECT %lld", id->integer), "OK");
	is("GET", redisCommand(reader, "GET {c}t"), "before");
	is("SET", say("{c}t", command("SET {c}t after")), "OK");
	is("invalidation", heard(listener), "[message __redis__:invalidate [{c}t]]");
	freeReplyObject(id);
	redisFree(reader);
	redisFree(listener);
}

static const struct { const char *name; void (*show)(void); } shows[] = {
	{"types", types}, {"pipeline", pipeline}, {"transaction", transaction}, {"watch", watch}, {"evalsha", evalsha}, {"fcall", fcall},
	{"pubsub", pubsub}, {"shardpubsub", shardpubsub}, {"blpop", blpop}, {"xread", xread}, {"tracking", tracking},
};

static void start_thread(void) {
	for (int i = 0; i < seed_count; i++) node_of(seeds[i]);
}

static void *consume(void *unused) {
	start_thread();
	while (!told) {
		redisReply *r = say("hiredis:queue", command("BLPOP hiredis:queue 1"));
		if (r->type == REDIS_REPLY_ARRAY) popped++;
		else if (r->type == REDIS_REPLY_ERROR) note(r->str);
		freeReplyObject(r);
	}
	return unused;
}

/* put writes a key in one of the four ways; the error of the last reply, if it is one, is noted. */
static int put(int way, const char *key, const char *value) {
	redisReply *r[4];
	Command c[4] = {command(way == 2 ? "FCALL put 1 %s %s" : way == 3 ? "MULTI" : "SET %s %s", key, value)};
	int n = 1, ok = 1;
	if (way == 1 || way == 3) c[n++] = command("SET %s %s", key, value);
	if (way == 3) c[n++] = command("EXEC");
	converse(key, c, n, r);
	for (int i = 0; i < n; i++) {
		if (r[i]->type == REDIS_REPLY_ERROR) note(r[i]->str), ok = 0;
		freeReplyObject(r[i]);
	}
	return ok;
}

int main(int argc, char **argv) {
	seeds = argv + 1, seed_count = argc - 1;
	start_thread();
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof shows / sizeof *shows; i++) {
		shows[i].show();
		printf("%s\n", shows[i].name);
	}
	printf("ready\n");
	char *tag[256], key[256][64], value[32];
	long last[256], writes = 0;
	int keys = 0;
	for (char *w = strtok(getenv("COBBLE_TAGS"), " "); w && keys < 256; w = strtok(NULL, " ")) tag[keys++] = w;
	for (int k = 0; k < keys; k++) last[k] = -1, snprintf(key[k], sizeof key[k], "{%s}hiredis", tag[k]);
	pthread_t consumer;
	pthread_create(&consumer, NULL, consume, NULL);
	struct pollfd in = {0, POLLIN, 0};
	for (long i = 0; poll(&in, 1, 1) == 0; i++) { /* the millisecond leaves the machine to the others */
		int k = i % keys;
		snprintf(value, sizeof value, "%ld", i);
		last[k] = -1; /* what was acknowledged, and nothing was tried after it */
		if (!put(i / keys % 4, key[k], value)) continue;
		last[k] = i, writes++;
		if (i % 8 == 0) freeReplyObject(say("hiredis:queue", command("RPUSH hiredis:queue %s", value)));
		if (i % 20 == 0) printf("%ld %ld\n", writes, popped);
	}
	told = 1;
	pthread_join(consumer, NULL);
	for (int k = 0; k < keys; k++) {
		snprintf(value, sizeof value, "%ld", last[k]);
		if (last[k] >= 0) is(key[k], say(key[k], command("GET %s", key[k])), value);
	}
	printf("done {");
	for (int i = 0; i < error_count; i++) printf("%s\"%s\": %d", i ? ", " : "", errors[i].text, errors[i].times);
	printf("}\n");
	return 0;
}
