package sim

import (
	"fmt"
	"strings"

	"cobble/cluster"
)

// Trace prints everything that happens, one line each, through print.
func (w *World) Trace(print func(string)) { w.trace = print }

func (w *World) traceEvent(h *Host, event cluster.Event) {
	switch event.(type) {
	case cluster.Tick, cluster.Position:
		return
	}
	w.trace(fmt.Sprintf("%6d n%d < %s", w.now/1000, h.index, w.event(event)))
}

func (w *World) traceAction(h *Host, do cluster.Action) {
	w.trace(fmt.Sprintf("%6d n%d   > %s", w.now/1000, h.index, w.action(do)))
}

// name prints an id as the host (n), shard (s) or cluster (c) that was born
// with it, else its first digits.
func (w *World) name(id cluster.ID) string {
	if id.IsZero() {
		return "-"
	}
	if name, is := w.names[id]; is {
		return name
	}
	return id.String()[:6]
}

// christen names the ids that a host is born with.
func (w *World) christen(h *Host) {
	me := h.view.Myself()
	for id, letter := range map[cluster.ID]string{me.ID: "n", me.Shard: "s", h.view.Cluster: "c"} {
		if _, is := w.names[id]; !is {
			w.names[id] = fmt.Sprintf("%s%d", letter, h.index)
		}
	}
}

func (w *World) event(event cluster.Event) string {
	switch e := event.(type) {
	case cluster.Receive:
		return w.name(e.Msg.From) + " " + w.body(e.Msg.Body)
	case cluster.ProbeResult:
		word := map[cluster.Outcome]string{0: "timeout", 1: "ok", 2: "refused", 3: "another node"}[e.Outcome]
		return "probe of " + w.name(e.Target) + ": " + word
	case cluster.Link:
		return fmt.Sprintf("link to %s up=%v", w.name(e.ID), e.Up)
	}
	if c, is := event.(cluster.Command); is {
		switch do := c.Do.(type) {
		case cluster.AddSlots:
			return "AddSlots " + do.Slots.String()
		case cluster.DelSlots:
			return "DelSlots " + do.Slots.String()
		}
		return w.plain(c.Do)
	}
	return w.plain(event)
}

func (w *World) action(do cluster.Action) string {
	switch e := do.(type) {
	case cluster.Send:
		to := w.name(e.To)
		if e.To.IsZero() {
			to = fmt.Sprintf("%s:%d", e.Addr.IP, e.Addr.BusPort)
		}
		return "send " + to + " " + w.body(e.Msg.Body)
	case cluster.Probe:
		return "probe " + w.name(e.Target)
	case cluster.Publish:
		return fmt.Sprintf("publish %d nodes, %d slots, state %v %s", len(e.View.Nodes), e.View.Assigned, e.View.State, e.View.Reason)
	case cluster.BecomePrimary:
		return fmt.Sprintf("become primary of %s in term %d, epoch %d, clean %v", w.name(e.Shard), e.Term, e.Epoch, e.Clean)
	case cluster.BecomeReplica:
		return fmt.Sprintf("become replica of %s in %s, term %d", w.name(e.Of), w.name(e.Shard), e.Term)
	case cluster.Note:
		return "log: " + w.plain(e.Text)
	case cluster.Reply:
		return "reply " + e.Result.Err + e.Result.Text
	}
	return w.plain(do)
}

// plain prints a value without knowing it, with names for ids.
func (w *World) plain(v any) string {
	out := strings.ReplaceAll(fmt.Sprintf("%T%+v", v, v), "cluster.", "")
	out = strings.TrimPrefix(out, "string")
	for id, name := range w.names {
		out = strings.ReplaceAll(out, id.String(), name)
	}
	return out
}

func (w *World) body(body cluster.Body) string {
	switch b := body.(type) {
	case cluster.Hello:
		return fmt.Sprintf("Hello meet=%v %s", b.Meet, w.record(b.Record))
	case cluster.HelloOK:
		return "HelloOK " + w.record(b.Record) + fmt.Sprintf(" and %d records, you are %s", len(b.Records), b.YourIP)
	case cluster.Records:
		words := []string{"Records"}
		for _, r := range b.Records {
			words = append(words, w.record(r))
		}
		return strings.Join(append(words, w.electors(b.Electors)), " ")
	case cluster.Digest:
		return fmt.Sprintf("Digest of %s/%d", w.name(b.Cluster), b.ElectorVer)
	case cluster.Fetch:
		return fmt.Sprintf("Fetch, knows %d", len(b.Known))
	case cluster.Prepare:
		return fmt.Sprintf("Prepare %s/%d %s ballot %d election=%v", w.name(b.Cluster), b.ElectorVer, w.key(b.Key), b.Ballot.Round, b.Election != nil)
	case cluster.Promise:
		return fmt.Sprintf("Promise %s ballot %d, accepted %s", w.key(b.Register.Key), b.Ballot.Round, w.value(b.Register.Config, b.Register.Electors))
	case cluster.Accept:
		return fmt.Sprintf("Accept %s/%d %s ballot %d %s", w.name(b.Cluster), b.ElectorVer, w.key(b.Key), b.Ballot.Round, w.value(b.Config, b.Electors))
	case cluster.Accepted:
		return fmt.Sprintf("Accepted %s ballot %d", w.key(b.Key), b.Ballot.Round)
	case cluster.Refused:
		return fmt.Sprintf("Refused %s ballot %d why=%d %s", w.key(b.Key), b.Ballot.Round, b.Why, w.electors(b.Electors))
	case cluster.Committed:
		return "Committed " + w.value(b.Config, b.Electors)
	case cluster.Read:
		return fmt.Sprintf("Read %s %s", w.name(b.Cluster), w.key(b.Key))
	case cluster.ReadOK:
		return fmt.Sprintf("ReadOK %s %s, %s", w.key(b.Register.Key), w.value(b.Register.Config, b.Register.Electors), w.electors(b.Electors))
	case cluster.Copy:
		return "Copy for " + w.electors(b.Electors)
	case cluster.CopyOK:
		return fmt.Sprintf("CopyOK %s/%d, %d registers", w.name(b.Cluster), b.Ver, len(b.Registers))
	}
	return w.plain(body)
}

func (w *World) key(id cluster.ID) string {
	if id.IsZero() {
		return "electors"
	}
	return w.name(id)
}

func (w *World) value(config *cluster.ShardConfig, e *cluster.Electors) string {
	if config != nil {
		return fmt.Sprintf("{ver %d term %d epoch %d primary %s}", config.Ver, config.Term, config.Epoch, w.name(config.Primary.ID))
	}
	if e != nil {
		return w.electors(e)
	}
	return "nothing"
}

func (w *World) electors(e *cluster.Electors) string {
	if e == nil {
		return ""
	}
	words := []string{}
	for _, m := range e.Members {
		words = append(words, w.name(m.ID))
	}
	into := ""
	if !e.Into.IsZero() {
		into = " into " + w.name(e.Into)
	}
	return fmt.Sprintf("electors %s/%d{%s%s}", w.name(e.Cluster), e.Ver, strings.Join(words, " "), into)
}

func (w *World) record(r *cluster.Record) string {
	role := "primary"
	if !r.IsPrimary() {
		role = "replica of " + w.name(r.Primary)
	}
	claims := ""
	if r.Slots != nil {
		claims = " slots " + r.Slots.String()
	}
	return fmt.Sprintf("[%s %d.%d %s of %s term %d epoch %d%s]", w.name(r.ID), r.Boot, r.Counter, role, w.name(r.Shard), r.Term, r.ConfigEpoch, claims)
}

// Summary prints what every host believes of itself, one line each.
func (w *World) Summary() string {
	out := ""
	for _, h := range w.Hosts {
		if h.view == nil {
			continue
		}
		me := h.view.Myself()
		out += fmt.Sprintf("n%d alive=%v state=%v %q %s of=%s nodes=%d cluster=%s %s shard=%s term=%d epoch=%d",
			h.index, h.machine != nil, h.view.State, h.view.Reason, me.FlagText(), w.name(me.Primary), len(h.view.Nodes),
			w.name(h.view.Cluster), w.electors(h.view.Electors), w.name(me.Shard), me.Term, me.ConfigEpoch)
		if me.Slots != nil {
			out += " slots=" + me.Slots.String()
		}
		out += "\n"
	}
	return out
}
