package clustertool

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cobble/slots"
	"cobble/tools/respconn"
)

func moveFlags(t *tool, fs *flag.FlagSet) {
	fs.IntVar(&t.pipeline, "pipeline", 10, "keys that one MIGRATE takes")
	fs.DurationVar(&t.moveTimeout, "migrate-timeout", time.Minute, "how long one MIGRATE may take")
	fs.BoolVar(&t.replace, "replace", false, "overwrite keys that the destination has already")
}

// move is one slot on its way.
type move struct {
	slot     slots.Slot
	from, to *peer
}

// moveReport is a run of moves between two nodes.
type moveReport struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Count int    `json:"count"`
	Slots string `json:"slots"`
}

// summary joins moves between the same two nodes.
func summary(moves []move) []moveReport {
	type way struct{ from, to *peer }
	sets := map[way]*slots.Set{}
	var order []way
	for _, m := range moves {
		w := way{m.from, m.to}
		if sets[w] == nil {
			sets[w] = &slots.Set{}
			order = append(order, w)
		}
		sets[w].Add(m.slot)
	}
	all := []moveReport{}
	for _, w := range order {
		all = append(all, moveReport{From: w.from.addr, To: w.to.addr, Count: sets[w].Len(), Slots: sets[w].String()})
	}
	return all
}

// carryOut prints the plan, asks, and moves.
func (t *tool) carryOut(c *cluster, moves []move) (any, error) {
	plan := summary(moves)
	for _, m := range plan {
		t.say("%s -> %s: %d slots (%s)", m.From, m.To, m.Count, m.Slots)
	}
	result := map[string]any{"moves": plan, "slots": len(moves)}
	if len(moves) == 0 {
		t.say("[ok] there is nothing to move.")
		return result, nil
	}
	if t.pipeline < 1 {
		return result, usagef("--pipeline must be at least 1")
	}
	if err := t.confirm(); err != nil {
		return result, err
	}
	keys, err := t.moveAll(c, moves)
	result["keys"] = keys
	if err != nil {
		return result, err
	}
	err = t.waitAgreement(c, nil)
	if err == nil {
		t.say("[ok] %d slots with %d keys were moved.", len(moves), keys)
	}
	return result, err
}

func (t *tool) moveAll(c *cluster, moves []move) (keys int64, err error) {
	for i, m := range moves {
		t.progress("moving slots", i, len(moves))
		n, err := t.moveSlot(c, m)
		keys += n
		if err != nil {
			return keys, fmt.Errorf("slot %d, after %d of %d: %w\nThe slot may be left open; `cobble cluster fix %s` finishes the move", m.slot, i, len(moves), err, m.from.addr)
		}
	}
	t.progress("moving slots", len(moves), len(moves))
	return keys, nil
}

// moveSlot moves one slot with its keys. It may be called again after it failed half way: each command in it leads to
// the same end from wherever the last run stopped. The destination is told first that it owns the slot, so that at no
// time nobody does.
func (t *tool) moveSlot(c *cluster, m move) (keys int64, err error) {
	slot := fmt.Sprint(m.slot)
	if _, err := m.to.do("CLUSTER", "SETSLOT", slot, "IMPORTING", m.from.me.ID); err != nil && !alreadyOwner(err) {
		return 0, err
	}
	if _, err := m.from.do("CLUSTER", "SETSLOT", slot, "MIGRATING", m.to.me.ID); err != nil {
		return 0, err
	}
	if keys, err = t.moveKeys(m); err != nil {
		return keys, err
	}
	if _, err := m.to.do("CLUSTER", "SETSLOT", slot, "NODE", m.to.me.ID); err != nil {
		return keys, err
	}
	for _, p := range append([]*peer{m.from}, without(c.primaries(), m.from)...) {
		if p == m.to {
			continue
		}
		// They would learn it by gossip too. A node that meanwhile became a replica need not be told; the source does,
		// when it hears that its last slot has gone.
		if _, err := p.do("CLUSTER", "SETSLOT", slot, "NODE", m.to.me.ID); err != nil && !notPrimary(err) {
			return keys, err
		}
	}
	return keys, nil
}

func notPrimary(err error) bool {
	var e *replyError
	return errors.As(err, &e) && strings.HasPrefix(string(e.reply), "ERR Please use SETSLOT only with masters.")
}

// alreadyOwner tells that the destination was named owner by a run that then stopped.
func alreadyOwner(err error) bool {
	var e *replyError
	return errors.As(err, &e) && strings.HasPrefix(string(e.reply), "ERR I'm already the owner")
}

// moveKeys empties the slot on its old owner.
func (t *tool) moveKeys(m move) (moved int64, err error) {
	for {
		r, err := m.from.do("CLUSTER", "GETKEYSINSLOT", fmt.Sprint(m.slot), strconv.Itoa(t.pipeline))
		if err != nil {
			return moved, err
		}
		keys, err := r.Strs()
		if err != nil {
			return moved, fmt.Errorf("node %s: %w", m.from.addr, err)
		}
		if len(keys) == 0 {
			return moved, nil
		}
		if err := t.migrate(m, keys, t.replace); err != nil {
			if !busyKey(err) || t.replace {
				return moved, err
			}
			if err := sameOnBoth(m, keys); err != nil {
				return moved, err
			}
			if err := t.migrate(m, keys, true); err != nil {
				return moved, err
			}
		}
		moved += int64(len(keys))
	}
}

func (t *tool) migrate(m move, keys []string, replace bool) error {
	host, port := announced(m.from.sees(m.to.me.ID), m.to)
	args := []string{"MIGRATE", host, port, "", "0", strconv.FormatInt(t.moveTimeout.Milliseconds(), 10)}
	if replace {
		args = append(args, "REPLACE")
	}
	switch {
	case t.password != "" && t.user != "":
		args = append(args, "AUTH2", t.user, t.password)
	case t.password != "":
		args = append(args, "AUTH", t.password)
	}
	args = append(append(args, "KEYS"), keys...)
	usual := m.from.conn.Timeout
	m.from.conn.Timeout = t.moveTimeout + usual
	_, err := m.from.do(args...)
	m.from.conn.Timeout = usual
	return err
}

func busyKey(err error) bool {
	var e *replyError
	return errors.As(err, &e) && strings.Contains(string(e.reply), "BUSYKEY")
}

// sameOnBoth is nil when the destination's copies of the keys are equal to the source's, as they are after a move that
// was interrupted between the copy and the delete. It is needed before they may be overwritten unasked.
func sameOnBoth(m move, keys []string) error {
	args := append([]string{"DEBUG", "DIGEST-VALUE"}, keys...)
	from, errFrom := m.from.do(args...)
	to, errTo := m.to.do(args...)
	if errFrom != nil || errTo != nil {
		return fmt.Errorf("the destination has some of the keys %.80q already, and whether they are equal cannot be found out (%w); --replace overwrites them", keys, errors.Join(errFrom, errTo))
	}
	for i := range keys {
		if i >= len(from.Elems) || i >= len(to.Elems) {
			return fmt.Errorf("DEBUG DIGEST-VALUE of %d keys gave %s and %s", len(keys), from, to)
		}
		if absent(to.Elems[i]) || from.Elems[i].Text == to.Elems[i].Text {
			continue
		}
		return fmt.Errorf("the destination has another value of the key %q; look at both, then use --replace", keys[i])
	}
	return nil
}

// absent reports whether a digest is that of no key.
func absent(digest respconn.Reply) bool { return strings.Trim(digest.Text, "0") == "" }
