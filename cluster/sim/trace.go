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
