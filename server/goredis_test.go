package server

import (
	"context"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A client library as it comes: RESP3 handshake with CLIENT SETINFO, pipelines, transactions, WATCH.
func TestGoRedis(t *testing.T) {
	n := start(t, "--requirepass", "secret")
	ctx := t.Context()
	for _, proto := range []int{2, 3} {
		db := redis.NewClient(&redis.Options{Addr: n.addr, Password: "secret", Protocol: proto, ClientName: "tester"})
		defer db.Close()
		if err := db.FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		if name, err := db.ClientGetName(ctx).Result(); name != "tester" || err != nil {
			t.Errorf("CLIENT GETNAME: %q, %v", name, err)
		}
		if info, err := db.ClientInfo(ctx).Result(); err != nil || info.LibName == "" || info.Resp != proto {
			t.Errorf("CLIENT INFO: %+v, %v", info, err)
		}
		if commands, err := db.Command(ctx).Result(); err != nil || commands["get"] == nil || !commands["get"].ReadOnly || commands["mset"].StepCount != 2 {
			t.Errorf("COMMAND: %d rows, %v", len(commands), err)
		}
		if got, err := db.ConfigGet(ctx, "maxclients").Result(); err != nil || got["maxclients"] != "10000" {
			t.Errorf("CONFIG GET: %v, %v", got, err)
		}
		pipelined(ctx, t, db)
		watched(ctx, t, db)
	}
}

func pipelined(ctx context.Context, t *testing.T, db *redis.Client) {
	t.Helper()
	var incr *redis.IntCmd
	if _, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "n", 41, 0)
		incr = p.Incr(ctx, "n")
		p.HSet(ctx, "h", "f", "v")
		return nil
	}); err != nil || incr.Val() != 42 {
		t.Errorf("TxPipelined: %v, %d", err, incr.Val())
	}
	if all, err := db.HGetAll(ctx, "h").Result(); err != nil || all["f"] != "v" {
		t.Errorf("HGETALL: %v, %v", all, err)
	}
}

func watched(ctx context.Context, t *testing.T, db *redis.Client) {
	t.Helper()
	err := db.Watch(ctx, func(tx *redis.Tx) error {
		if err := db.Set(ctx, "n", "other", 0).Err(); err != nil { // another connection
			return err
		}
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "n", "mine", 0).Err() })
		return err
	}, "n")
	if !errors.Is(err, redis.TxFailedErr) {
		t.Errorf("a watched key was changed, and the transaction said %v", err)
	}
}
