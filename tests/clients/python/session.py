"""A session of redis-py's cluster client: session.py host:port…, the tags of its keys in COBBLE_TAGS.

What it does and prints is said at session and external in session_test.go. redis-py 4.3 knows RESP2 only; its cluster
client has no transactions, no WATCH and no SSUBSCRIBE of its own: they are shown on a connection to the key's node.
"""
import json
import logging
import os
import sys
import threading
import time

import redis
from redis.cluster import ClusterNode, RedisCluster

PATIENCE = 30
logging.disable()  # it logs each error that it tries again after
tags = os.environ["COBBLE_TAGS"].split()


def connect(timeout=3):
    nodes = [ClusterNode(host, int(port)) for host, port in (a.rsplit(":", 1) for a in sys.argv[1:])]
    return RedisCluster(startup_nodes=nodes, socket_timeout=timeout, socket_connect_timeout=1, decode_responses=True)


def node_of(c, key):
    """A connection to the node that serves a key, with nothing of the cluster about it."""
    node = c.get_node_from_key(key)
    return redis.Redis(node.host, node.port, socket_timeout=PATIENCE, decode_responses=True, single_connection_client=True)


def same(got, want):
    assert got == want, f"{got!r}, want {want!r}"


def heard(connection, kind):
    """The next message of a kind that comes on a subscriber's connection."""
    while True:
        reply = connection.read_response()
        if reply[0] == kind:
            return reply[-1]


def types(c):
    same(c.hset("{py}h", mapping={"a": 1, "b": 2}), 2)
    same(c.hgetall("{py}h"), {"a": "1", "b": "2"})
    same(c.rpush("{py}l", "a", "b", "c"), 3)
    same(c.lrange("{py}l", 0, -1), ["a", "b", "c"])
    same(c.sadd("{py}s", 1, 2, 3), 3)
    same(c.smembers("{py}s"), {"1", "2", "3"})
    same(c.zadd("{py}z", {"one": 1, "two": 2.5}), 2)
    same(c.zrange("{py}z", 0, -1, withscores=True), [("one", 1.0), ("two", 2.5)])
    same(c.xadd("{py}st", {"f": "v"}, id="1-1"), "1-1")
    same(c.xgroup_create("{py}st", "g", 0), True)
    same(c.xreadgroup("g", "me", {"{py}st": ">"}, count=5), [["{py}st", [("1-1", {"f": "v"})]]])
    same(c.xack("{py}st", "g", "1-1"), 1)
    try:
        c.incr("{py}h")
        raise AssertionError("INCR of a hash")
    except redis.ResponseError as err:
        assert "WRONGTYPE" in str(err), err


def pipeline(c):
    pipe = c.pipeline()
    for i in range(1000):
        pipe.append(f"py:pipe{i % 7}", "x")
    same(pipe.execute(), [i // 7 + 1 for i in range(1000)])


def transaction(c):
    pipe = node_of(c, "{py}n").pipeline(transaction=True)
    same(pipe.incr("{py}n").incrby("{py}n", 4).execute(), [1, 5])


def watch(c):
    pipe = node_of(c, "{py}n").pipeline(transaction=True)
    for meddle in (True, False):
        pipe.watch("{py}n")
        if meddle:
            c.set("{py}n", "changed")
        pipe.multi()
        pipe.get("{py}n")
        try:
            same((meddle, pipe.execute()), (False, ["changed"]))
        except redis.WatchError:
            assert meddle


def evalsha(c):
    sha = c.script_load("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    same([c.evalsha(sha, 1, "{py}m", 5), c.evalsha(sha, 1, "{py}m", 5)], [5, 10])


def fcall(c):
    same(c.fcall("put", 1, "{py}f", "v"), "OK")


def pubsub(c):
    sub = c.pubsub()
    sub.subscribe("py:news")
    while sub.get_message(timeout=5)["type"] != "subscribe":
        pass
    c.publish("py:news", "hello")
    same(sub.get_message(timeout=PATIENCE)["data"], "hello")
    sub.close()


def shardpubsub(c):
    sub = node_of(c, "py:shard").connection
    sub.send_command("SSUBSCRIBE", "py:shard")
    same(heard(sub, "ssubscribe"), 1)
    same(node_of(c, "py:shard").execute_command("SPUBLISH", "py:shard", "hello"), 1)
    same(heard(sub, "smessage"), "hello")


def waits(call, act):
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(call(connect(PATIENCE))), daemon=True)
    waiter.start()
    act()
    waiter.join(PATIENCE)
    return answers


def blpop(c):
    answers = waits(lambda own: own.blpop(["{py}wait"], PATIENCE), lambda: c.rpush("{py}wait", "came"))
    same(answers, [("{py}wait", "came")])


def xread(c):
    answers = waits(lambda own: own.xread({"{py}x": "0"}, block=1000 * PATIENCE), lambda: c.xadd("{py}x", {"f": "v"}, id="1-1"))
    same(answers, [[["{py}x", [("1-1", {"f": "v"})]]]])


def tracking(c):
    """In RESP2, invalidations come as messages to another connection."""
    c.set("{py}t", "before")
    reader, listener = node_of(c, "{py}t"), node_of(c, "{py}t")
    ident = listener.client_id()
    listener.connection.send_command("SUBSCRIBE", "__redis__:invalidate")
    same(heard(listener.connection, "subscribe"), 1)
    reader.execute_command("CLIENT TRACKING", "ON", "REDIRECT", ident)
    same(reader.get("{py}t"), "before")
    c.set("{py}t", "after")
    same(heard(listener.connection, "message"), ["{py}t"])


def piped(c, key, value):
    pipe = c.pipeline()
    pipe.set(key, value).set(key + ":2", value)
    pipe.execute()


WAYS = [
    lambda c, key, value: c.set(key, value),
    piped,
    lambda c, key, value: c.fcall("put", 1, key, value),
]


class Client:
    """A cluster client that is made anew when it is spent: once it wants to ask a node for the slots that it has no
    connection to, redis-py 4.3 fails forever (it copies its own locks)."""

    c = None

    def run(self, call):
        try:
            self.c = self.c or connect()
            return call(self.c)
        except redis.exceptions.RedisClusterException as err:
            self.c = None
            raise redis.ConnectionError(str(err))


class Counter:
    def __init__(self):
        self.told, self.popped, self.errors, self.lock = threading.Event(), 0, {}, threading.Lock()

    def note(self, err):
        text = f"{type(err).__name__}: {err}" if isinstance(err, redis.ConnectionError) else str(err)
        with self.lock:
            self.errors[text[:80]] = self.errors.get(text[:80], 0) + 1
        time.sleep(0.01)  # a pause between attempts

    def consume(self):
        own = Client()
        while not self.told.is_set():
            try:
                if own.run(lambda c: c.blpop(["redis-py:queue"], 1)):
                    self.popped += 1
            except redis.RedisError as err:
                self.note(err)


def main():
    c = connect()
    for show in (types, pipeline, transaction, watch, evalsha, fcall, pubsub, shardpubsub, blpop, xread, tracking):
        show(c)
        print(show.__name__, flush=True)
    print("ready", flush=True)
    n = Counter()
    threading.Thread(target=lambda: (sys.stdin.read(), n.told.set()), daemon=True).start()
    consumer = threading.Thread(target=n.consume, daemon=True)
    consumer.start()
    own = Client()
    last = {}  # what was acknowledged, and nothing was tried after it
    writes = i = 0
    while not n.told.is_set():
        i += 1
        key, value = "{%s}redis-py" % tags[i % len(tags)], str(i)
        last.pop(key, None)
        try:
            own.run(lambda c: WAYS[i // len(tags) % len(WAYS)](c, key, value))
            last[key] = value
            writes += 1
            if i % 8 == 0:
                own.run(lambda c: c.rpush("redis-py:queue", value))
        except redis.RedisError as err:
            n.note(err)
        time.sleep(0.001)  # leaves the machine to the others
        if i % 20 == 0:
            print(writes, n.popped, flush=True)
    consumer.join(PATIENCE)
    for key, want in last.items():
        same((key, own.run(lambda c: c.get(key))), (key, want))
    print("done", json.dumps(n.errors), flush=True)


main()
