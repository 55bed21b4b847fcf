package sim

import (
	"fmt"
	"strings"

	"cobble/cluster"
)

// Trace prints everything that happens, one line each, through print.
func (w *World) Trace(print func(string)) { w.trace = print }

func (w *World) traceEvent(h *Host, event cluster.Event) {
	if _, tick := event.(cluster.Tick); tick {
		return
	}
	w.trace(fmt.Sprintf("%7d n%d < %s", w.now/1000, h.index, w.text(event)))
}

func (w *World) traceAction(h *Host, do cluster.Action) {
	w.trace(fmt.Sprintf("%7d n%d > %s", w.now/1000, h.index, w.text(do)))
}

// text prints a value with node ids replaced by host names.
func (w *World) text(v any) string {
	var out string
	switch e := v.(type) {
	case cluster.Receive:
		out = fmt.Sprintf("%v: %T%+v", e.Msg.From, e.Msg.Body, e.Msg.Body)
	case cluster.Send:
		out = fmt.Sprintf("Send %v %v: %T%+v", e.To, e.Addr.Port, e.Msg.Body, e.Msg.Body)
	case cluster.Publish:
		out = fmt.Sprintf("Publish state=%v %s nodes=%d", e.View.State, e.View.Reason, len(e.View.Nodes))
	default:
		out = fmt.Sprintf("%T%+v", v, v)
	}
	for _, h := range w.Hosts {
		if h.view != nil {
			out = strings.ReplaceAll(out, h.id().String(), fmt.Sprintf("n%d", h.index))
		}
	}
	return strings.ReplaceAll(out, "cluster.", "")
}

// Summary prints what every host believes of itself, one line each.
func (w *World) Summary() string {
	out := ""
	for _, h := range w.Hosts {
		if h.view == nil {
			continue
		}
		me := h.view.Myself()
		out += fmt.Sprintf("n%d alive=%v state=%v %q shard=%.4v term=%d primary=%v of=%.4v epoch=%d nodes=%d cluster=%.4v", h.index,
			h.machine != nil, h.view.State, h.view.Reason, me.Shard.String(), me.Term, me.IsPrimary(), me.Primary.String(), me.ConfigEpoch,
			len(h.view.Nodes), h.view.Cluster.String())
		if e := h.view.Electors; e != nil {
			out += fmt.Sprintf(" electors=%.4v/%d", e.Cluster.String(), e.Ver)
			for _, m := range e.Members {
				out += fmt.Sprintf(" %.4v", m.ID.String())
			}
		}
		if me.Slots != nil {
			out += " slots=" + me.Slots.String()
		}
		out += fmt.Sprintf(" id=%.4v\n", me.ID.String())
	}
	return out
}
