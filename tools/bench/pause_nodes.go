package main

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cobble/slots"
)

// pauseSlotKeys is how many keys move with the slot.
const pauseSlotKeys = 200_000

// nodePauses are what other nodes bring about: a replica that takes everything over,
// and a slot that leaves.
func (s *settings) nodePauses() []scenario {
	fill := func(p *process) error {
		return p.pipeline(pauseSlotKeys, func(dst []byte, i int) []byte {
			return encode(dst, "SET", pauseTag+strconv.Itoa(i), "value:"+strconv.Itoa(i))
		})
	}
	return []scenario{
		{name: "a replica that joins", before: fill, run: func(p *process) error {
			return s.withNode(p, func(other *process) error { return follow(other, p) })
		}},
		{name: fmt.Sprintf("a slot of %d keys that leaves, MIGRATE of 100", pauseSlotKeys), run: func(p *process) error {
			return s.withNode(p, func(other *process) error { return moveSlot(p, other) })
		}},
	}
}

// withNode runs f with a second, empty node that has met p.
func (s *settings) withNode(p *process, f func(other *process) error) error {
	other, err := newProcess(s, p.name, "everysec")
	if err != nil {
		return err
	}
	defer other.remove()
	if err := other.start(); err != nil {
		return err
	}
	if err := until("the nodes meet", func() bool {
		if reply, err := other.do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(p.port)); err != nil || reply != "+OK" {
			return false
		}
		text, _ := p.bulk("CLUSTER", "NODES")
		back, _ := other.bulk("CLUSTER", "NODES")
		return strings.Count(text, "connected") >= 2 && strings.Count(back, "connected") >= 2 && !strings.Contains(text+back, "handshake")
	}); err != nil {
		return err
	}
	if err := f(other); err != nil {
		return err
	}
	id, err := other.bulk("CLUSTER", "MYID")
	if err != nil {
		return err
	}
	_, _ = p.do("CLUSTER", "FORGET", id)
	return nil
}

func until(what string, done func() bool) error {
	for begin := time.Now(); time.Since(begin) < 2*time.Minute; time.Sleep(100 * time.Millisecond) {
		if done() {
			return nil
		}
	}
	return fmt.Errorf("not within two minutes: %s", what)
}

func follow(replica, primary *process) error {
	id, err := primary.bulk("CLUSTER", "MYID")
	if err != nil {
		return err
	}
	if err := until("REPLICATE is taken", func() bool {
		reply, err := replica.do("CLUSTER", "REPLICATE", id)
		return err == nil && reply == "+OK"
	}); err != nil {
		return err
	}
	return until("the replica is in step", func() bool {
		text, err := replica.bulk("INFO", "replication")
		return err == nil && strings.Contains(text, "master_link_status:up") && !strings.Contains(text, "master_sync_in_progress:1")
	})
}

// moveSlot moves the slot of pauseTag, and back where it came from its keys are gone.
func moveSlot(from, to *process) error {
	slot := strconv.Itoa(int(slots.Of([]byte(pauseTag))))
	source, err := from.bulk("CLUSTER", "MYID")
	if err != nil {
		return err
	}
	target, err := to.bulk("CLUSTER", "MYID")
	if err != nil {
		return err
	}
	if err := until("the new node serves", func() bool {
		reply, err := to.do("CLUSTER", "SETSLOT", slot, "IMPORTING", source)
		text, _ := to.bulk("CLUSTER", "INFO")
		return err == nil && reply == "+OK" && strings.Contains(text, "cluster_state:ok")
	}); err != nil {
		return err
	}
	if err := from.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target); err != nil {
		return fmt.Errorf("MIGRATING: %w", err)
	}
	conn, err := from.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 1<<16)
	for {
		if _, err := conn.Write(encode(nil, "CLUSTER", "GETKEYSINSLOT", slot, "100")); err != nil {
			return err
		}
		keys, err := readBulks(r)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			break
		}
		args := append([]string{"MIGRATE", "127.0.0.1", strconv.Itoa(to.port), "", "0", "10000", "REPLACE", "KEYS"}, keys...)
		if err := askOn(conn, r, encode(nil, args...), 1); err != nil {
			return fmt.Errorf("MIGRATE: %w", err)
		}
	}
	// The slot stays: the other node goes away.
	return from.ask("CLUSTER", "SETSLOT", slot, "STABLE")
}

// readBulks reads an array of bulk strings.
func readBulks(r *bufio.Reader) ([]string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "*")))
	if err != nil {
		return nil, fmt.Errorf("no array: %q", line)
	}
	var all []string
	for range n {
		if _, err := r.ReadString('\n'); err != nil {
			return nil, err
		}
		if line, err = r.ReadString('\n'); err != nil {
			return nil, err
		}
		all = append(all, strings.TrimRight(line, "\r\n"))
	}
	return all, nil
}
