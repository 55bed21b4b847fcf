package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cobble/tests/proc"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{log.New(io.Discard, "", 0)}) // refused connections are what these tests are about
	os.Exit(m.Run())
}

type quiet struct{ *log.Logger }

func (quiet) Printf(context.Context, string, ...any) {}

// goRedis starts a session of go-redis in RESP2 or RESP3, its default.
func goRedis(c *proc.Cluster, tags []string, name string, protocol int) *session {
	// A lost connection does not make it ask for the slots again; with its default it would find the new primary after a minute.
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), Protocol: protocol, MaxRedirects: 16, DialTimeout: time.Second, ClusterStateReloadInterval: time.Second})
	g := goRedisUser{client, "{" + name + "}"}
	return inProcess(name, tags, goLibrary{
		shows: map[string]func(context.Context) error{
			"types": g.types, "pipeline": g.pipeline, "transaction": g.transaction, "watch": g.watch, "evalsha": g.evalsha,
			"fcall": g.fcall, "pubsub": g.pubsub, "shardpubsub": g.shardpubsub, "blpop": g.blpop, "xread": g.xread, "tracking": g.tracking,
		},
		ways: []func(context.Context, string, string) error{
			func(ctx context.Context, key, value string) error { return client.Set(ctx, key, value, 0).Err() },
			func(ctx context.Context, key, value string) error {
				_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, key, value, 0); p.Set(ctx, key+":2", value, 0); return nil })
				return err
			},
			func(ctx context.Context, key, value string) error {
				return client.FCall(ctx, "put", []string{key}, value).Err()
			},
			func(ctx context.Context, key, value string) error {
				_, err := client.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, key, value, 0); p.Set(ctx, key+":2", value, 0); return nil })
				return err
			},
		},
		read: func(ctx context.Context, key string) (string, error) { return client.Get(ctx, key).Result() },
		push: func(ctx context.Context, key, value string) error { return client.RPush(ctx, key, value).Err() },
		pop: func(ctx context.Context, key string) (bool, error) {
			err := client.BLPop(ctx, time.Second, key).Err()
			if errors.Is(err, redis.Nil) {
				return false, nil
			}
			return err == nil, err
		},
		close: func() { client.Close() },
	})
}

type goRedisUser struct {
	*redis.ClusterClient
	tag string // which all its keys have but those of the pipeline
}

func (c goRedisUser) types(ctx context.Context) error {
	h, err := c.HSet(ctx, c.tag+"h", "a", 1, "b", 2).Result()
	m, err2 := c.HGetAll(ctx, c.tag+"h").Result()
	z, err3 := c.ZAdd(ctx, c.tag+"z", redis.Z{Score: 1, Member: "one"}, redis.Z{Score: 2.5, Member: "two"}).Result()
	r, err4 := c.ZRangeWithScores(ctx, c.tag+"z", 0, -1).Result()
	s, err5 := c.SAdd(ctx, c.tag+"s", 1, 2, 3).Result()
	g, err6 := c.GeoAdd(ctx, c.tag+"g", &redis.GeoLocation{Name: "Palermo", Longitude: 13.361389, Latitude: 38.115556}).Result()
	wrong := c.Get(ctx, c.tag+"h").Err()
	return is("types", []any{h, m, z, r, s, g, wrong}, errors.Join(err, err2, err3, err4, err5, err6),
		"[2 map[a:1 b:2] 2 [{1 one} {2.5 two}] 3 1 WRONGTYPE Operation against a key holding the wrong kind of value]")
}

func (c goRedisUser) pipeline(ctx context.Context) error {
	pipe := c.Pipeline()
	for i := range 1000 {
		pipe.Append(ctx, fmt.Sprint(c.tag[1:], "pipe", i%7), "x")
	}
	replies, err := pipe.Exec(ctx)
	if err != nil {
		return err
	}
	for i, r := range replies {
		if n := r.(*redis.IntCmd).Val(); n != int64(i/7+1) {
			return fmt.Errorf("reply %d is %d", i, n)
		}
	}
	var found atomic.Int64
	err = c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		keys := node.Scan(ctx, 0, c.tag[1:]+"pipe*", 100).Iterator()
		for keys.Next(ctx) {
			found.Add(1)
		}
		return keys.Err()
	})
	return is("SCAN of all primaries", found.Load(), err, "7")
}

func (c goRedisUser) transaction(ctx context.Context) error {
	replies, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Incr(ctx, c.tag+"n"); p.IncrBy(ctx, c.tag+"n", 4); return nil })
	return is("EXEC", []any{replies[0].(*redis.IntCmd).Val(), replies[1].(*redis.IntCmd).Val()}, err, "[1 5]")
}

func (c goRedisUser) watch(ctx context.Context) error {
	attempt := func(meddle bool) error {
		return c.Watch(ctx, func(tx *redis.Tx) error {
			if meddle {
				if err := c.Set(ctx, c.tag+"n", "changed", 0).Err(); err != nil {
					return err
				}
			}
			_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, c.tag+"n"); return nil })
			return err
		}, c.tag+"n")
	}
	if err := attempt(true); !errors.Is(err, redis.TxFailedErr) {
		return fmt.Errorf("EXEC after a change of the watched key: %v", err)
	}
	return attempt(false)
}

func (c goRedisUser) evalsha(ctx context.Context) error {
	script := redis.NewScript(addScript)
	first, err := script.Run(ctx, c, []string{c.tag + "m"}, 5).Int()
	second, err2 := script.EvalSha(ctx, c, []string{c.tag + "m"}, 5).Int()
	return is("EVALSHA", []int{first, second}, errors.Join(err, err2), "[5 10]")
}

func (c goRedisUser) fcall(ctx context.Context) error {
	r, err := c.FCall(ctx, "put", []string{c.tag + "f"}, "v").Result()
	return is("FCALL", r, err, "OK")
}

func (c goRedisUser) pubsub(ctx context.Context) error {
	return goRedisHears(ctx, c.Subscribe(ctx, c.tag+"news"), func() error { return c.Publish(ctx, c.tag+"news", "hello").Err() })
}

func (c goRedisUser) shardpubsub(ctx context.Context) error {
	return goRedisHears(ctx, c.SSubscribe(ctx, c.tag+"shard"), func() error { return c.SPublish(ctx, c.tag+"shard", "hello").Err() })
}

func goRedisHears(ctx context.Context, sub *redis.PubSub, publish func() error) error {
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		return err
	}
	if err := publish(); err != nil {
		return err
	}
	m, err := sub.ReceiveMessage(ctx)
	if err != nil {
		return err
	}
	return is("message", m.Payload, nil, "hello")
}

func (c goRedisUser) blpop(ctx context.Context) error {
	popped := make(chan error, 1)
	go func() {
		r, err := c.BLPop(ctx, patience, c.tag+"wait").Result()
		popped <- is("BLPOP", r, err, "["+c.tag+"wait came]")
	}()
	return errors.Join(c.RPush(ctx, c.tag+"wait", "came").Err(), <-popped)
}

func (c goRedisUser) xread(ctx context.Context) error {
	came := make(chan error, 1)
	go func() {
		r, err := c.XRead(ctx, &redis.XReadArgs{Streams: []string{c.tag + "x", "0"}, Block: patience}).Result()
		came <- is("XREAD", len(r) == 1 && fmt.Sprint(r[0].Messages) == "[{1-1 map[f:v] 0 0}]", err, "true")
	}()
	return errors.Join(c.XAdd(ctx, &redis.XAddArgs{Stream: c.tag + "x", ID: "1-1", Values: []string{"f", "v"}}).Err(), <-came)
}

// tracking: the library caches at clients of one node, not of a cluster.
func (c goRedisUser) tracking(ctx context.Context) error {
	if err := c.Set(ctx, c.tag+"t", "before", 0).Err(); err != nil {
		return err
	}
	node, err := c.MasterForKey(ctx, c.tag+"t")
	if err != nil {
		return err
	}
	cached := redis.NewClient(&redis.Options{Addr: node.Options().Addr, Protocol: 3, ClientSideCacheConfig: &redis.ClientSideCacheConfig{}})
	defer cached.Close()
	for range 3 {
		got, err := cached.Get(ctx, c.tag+"t").Result()
		if err := is("GET", got, err, "before"); err != nil {
			return err
		}
	}
	if stats := cached.CSCStats(); stats.Hits == 0 {
		return fmt.Errorf("nothing came out of the cache: %+v", stats)
	}
	if err := c.Set(ctx, c.tag+"t", "after", 0).Err(); err != nil {
		return err
	}
	return eventually(ctx, func() error {
		got, err := cached.Get(ctx, c.tag+"t").Result()
		return is("GET after the invalidation", got, err, "after")
	})
}
