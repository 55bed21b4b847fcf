package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"cobble/tests/proc"
)

func rueidisSession(t *testing.T, c *proc.Cluster, tags []string) *session {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: c.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	u := rueidisUser{client}
	return inProcess("rueidis", tags, goLibrary{
		shows: map[string]func(context.Context) error{
			"types": u.types, "pipeline": u.pipeline, "transaction": u.transaction, "watch": u.watch, "evalsha": u.evalsha,
			"fcall": u.fcall, "pubsub": u.pubsub, "shardpubsub": u.shardpubsub, "blpop": u.blpop, "xread": u.xread, "tracking": u.tracking,
		},
		ways: []func(context.Context, string, string) error{
			func(ctx context.Context, key, value string) error { return u.run(ctx, key, "SET", key, value).Error() },
			func(ctx context.Context, key, value string) error {
				return failed(client.DoMulti(ctx, u.command(key, "SET", key, value), u.command(key+":2", "SET", key+":2", value)))
			},
			func(ctx context.Context, key, value string) error {
				return u.run(ctx, key, "FCALL", "put", "1", key, value).Error()
			},
			func(ctx context.Context, key, value string) error {
				return client.Dedicated(func(d rueidis.DedicatedClient) error {
					return failed(d.DoMulti(ctx, d.B().Multi().Build(), d.B().Set().Key(key).Value(value).Build(), d.B().Exec().Build()))
				})
			},
		},
		read: func(ctx context.Context, key string) (string, error) { return u.run(ctx, key, "GET", key).ToString() },
		push: func(ctx context.Context, key, value string) error {
			return u.run(ctx, key, "RPUSH", key, value).Error()
		},
		pop: func(ctx context.Context, key string) (bool, error) {
			err := client.Do(ctx, client.B().Blpop().Key(key).Timeout(1).Build()).Error()
			if rueidis.IsRedisNil(err) {
				return false, nil
			}
			return err == nil, err
		},
		close: client.Close,
	})
}

// failed gives the first error of a pipeline's replies.
func failed(replies []rueidis.RedisResult) error {
	for _, r := range replies {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}

// rueidisUser is a cluster client, which speaks RESP3 only and tracks what it caches.
type rueidisUser struct{ rueidis.Client }

// command builds a command of one key.
func (c rueidisUser) command(key string, args ...string) rueidis.Completed {
	b := c.B().Arbitrary(args[0])
	for _, a := range args[1:] {
		if a == key {
			b = b.Keys(a)
		} else {
			b = b.Args(a)
		}
	}
	return b.Build()
}

func (c rueidisUser) run(ctx context.Context, key string, args ...string) rueidis.RedisResult {
	return c.Do(ctx, c.command(key, args...))
}

func (c rueidisUser) types(ctx context.Context) error {
	for _, say := range [][2]string{
		{"HSET {ru}h a 1 b 2", "2"}, {"HGETALL {ru}h", "map[a:1 b:2]"},
		{"ZADD {ru}z 1 one 2.5 two", "2"}, {"ZRANGE {ru}z 0 -1 WITHSCORES", "[[one 1] [two 2.5]]"}, {"ZSCORE {ru}z two", "2.5"},
		{"SADD {ru}s 1 2 3", "3"}, {"SISMEMBER {ru}s 2", "1"},
		{"RPUSH {ru}l a b c", "3"}, {"LRANGE {ru}l 0 -1", "[a b c]"},
		{"GEOADD {ru}g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", "2"}, {"GEODIST {ru}g Palermo Catania", "166274.1516"},
	} {
		args := strings.Fields(say[0])
		got, err := c.run(ctx, args[1], args...).ToAny()
		if err := is(say[0], got, err, say[1]); err != nil {
			return err
		}
	}
	if err := c.run(ctx, "{ru}h", "GET", "{ru}h").Error(); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		return fmt.Errorf("GET of a hash: %v", err)
	}
	return nil
}

func (c rueidisUser) pipeline(ctx context.Context) error {
	var commands rueidis.Commands
	for i := range 1000 {
		commands = append(commands, c.B().Append().Key(fmt.Sprint("ru:pipe", i%7)).Value("x").Build())
	}
	for i, r := range c.DoMulti(ctx, commands...) {
		n, err := r.AsInt64()
		if err := is(fmt.Sprint("reply ", i), n, err, fmt.Sprint(i/7+1)); err != nil {
			return err
		}
	}
	return nil
}

func (c rueidisUser) transaction(ctx context.Context) error {
	return c.Dedicated(func(d rueidis.DedicatedClient) error {
		replies := d.DoMulti(ctx, d.B().Multi().Build(), d.B().Incr().Key("{ru}n").Build(), d.B().Incrby().Key("{ru}n").Increment(4).Build(), d.B().Exec().Build())
		v, err := replies[3].AsIntSlice()
		return is("EXEC", v, err, "[1 5]")
	})
}

func (c rueidisUser) watch(ctx context.Context) error {
	attempt := func(meddle bool, want string) error {
		return c.Dedicated(func(d rueidis.DedicatedClient) error {
			if err := d.Do(ctx, d.B().Watch().Key("{ru}n").Build()).Error(); err != nil {
				return err
			}
			if meddle {
				if err := c.run(ctx, "{ru}n", "SET", "{ru}n", "changed").Error(); err != nil {
					return err
				}
			}
			replies := d.DoMulti(ctx, d.B().Multi().Build(), d.B().Get().Key("{ru}n").Build(), d.B().Exec().Build())
			v, err := replies[2].AsStrSlice()
			if meddle && rueidis.IsRedisNil(err) {
				v, err = []string{"aborted"}, nil
			}
			return is("EXEC after WATCH", v, err, want)
		})
	}
	return errors.Join(attempt(true, "[aborted]"), attempt(false, "[changed]"))
}

func (c rueidisUser) evalsha(ctx context.Context) error {
	script := rueidis.NewLuaScript(addScript)
	first, err := script.Exec(ctx, c, []string{"{ru}m"}, []string{"5"}).AsInt64()
	second, err2 := script.Exec(ctx, c, []string{"{ru}m"}, []string{"5"}).AsInt64()
	return is("EVALSHA", []int64{first, second}, errors.Join(err, err2), "[5 10]")
}

func (c rueidisUser) fcall(ctx context.Context) error {
	r, err := c.run(ctx, "{ru}f", "FCALL", "put", "1", "{ru}f", "v").ToString()
	return is("FCALL", r, err, "OK")
}

func (c rueidisUser) pubsub(ctx context.Context) error {
	return c.hears(ctx, "PUBLISH", "ru:news", c.B().Subscribe().Channel("ru:news").Build())
}

func (c rueidisUser) shardpubsub(ctx context.Context) error {
	return c.hears(ctx, "SPUBLISH", "ru:shard", c.B().Ssubscribe().Channel("ru:shard").Build())
}

// hears subscribes and publishes until a message comes: the library does not tell when a subscription stands.
func (c rueidisUser) hears(ctx context.Context, publish, channel string, subscribe rueidis.Completed) error {
	listening, leave := context.WithCancel(ctx)
	defer leave()
	go eventually(listening, func() error {
		c.run(listening, channel, publish, channel, "hello")
		return errors.New("once more")
	})
	got := ""
	err := c.Receive(listening, subscribe, func(m rueidis.PubSubMessage) { got = m.Message; leave() })
	if got == "hello" {
		return nil
	}
	return fmt.Errorf("%s: %q, %w", publish, got, err)
}

func (c rueidisUser) blpop(ctx context.Context) error {
	popped := make(chan error, 1)
	go func() {
		r, err := c.Do(ctx, c.B().Blpop().Key("{ru}wait").Timeout(patience.Seconds()).Build()).AsStrSlice()
		popped <- is("BLPOP", r, err, "[{ru}wait came]")
	}()
	return errors.Join(c.run(ctx, "{ru}wait", "RPUSH", "{ru}wait", "came").Error(), <-popped)
}

func (c rueidisUser) xread(ctx context.Context) error {
	came := make(chan error, 1)
	go func() {
		r, err := c.Do(ctx, c.B().Xread().Block(patience.Milliseconds()).Streams().Key("{ru}x").Id("0").Build()).AsXRead()
		came <- is("XREAD", r, err, "map[{ru}x:[{map[f:v] 1-1}]]")
	}()
	return errors.Join(c.run(ctx, "{ru}x", "XADD", "{ru}x", "1-1", "f", "v").Error(), <-came)
}

func (c rueidisUser) tracking(ctx context.Context) error {
	get := func() rueidis.RedisResult {
		return c.DoCache(ctx, c.B().Get().Key("{ru}t").Cache(), time.Hour)
	}
	if err := c.run(ctx, "{ru}t", "SET", "{ru}t", "before").Error(); err != nil {
		return err
	}
	hits := 0
	for range 3 {
		r := get()
		if r.IsCacheHit() {
			hits++
		}
		got, err := r.ToString()
		if err := is("GET", got, err, "before"); err != nil {
			return err
		}
	}
	if hits != 2 {
		return fmt.Errorf("%d answers of 3 came out of the cache", hits)
	}
	if err := c.run(ctx, "{ru}t", "SET", "{ru}t", "after").Error(); err != nil {
		return err
	}
	return eventually(ctx, func() error {
		got, err := get().ToString()
		return is("GET after the invalidation", got, err, "after")
	})
}
