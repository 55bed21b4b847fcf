package command

import (
	"testing"

	"cobble/slots"
)

// After the view's time the node serves nothing by it, whatever it says.
func TestLapsedViewServesNothing(t *testing.T) {
	env := &Env{}
	view := slots.Local()
	view.Enabled, view.Nodes = true, make([]slots.Node, 1)
	env.View.Store(view)
	c := &Call{Env: env, Now: 1000}
	for _, test := range []struct {
		until int64
		want  error
	}{{0, nil}, {1000, nil}, {999, slots.StateDown}} {
		env.ServeUntil.Store(test.until)
		if got := slots.Route(c.view(), slots.Request{}); got != test.want {
			t.Errorf("until %d at 1000: %v, want %v", test.until, got, test.want)
		}
	}
	env.View.Store(slots.Local())
	if got := slots.Route(c.view(), slots.Request{}); got != nil {
		t.Errorf("without a cluster: %v", got)
	}
}
