package command

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"cobble/slots"
)

// SlotStats count what each slot costs (cluster-slot-stats-enabled): the time of the
// commands on its keys and the bytes of their requests and replies. Any goroutine may
// call them. While they are off a command pays for one look at a flag.
type SlotStats struct {
	on     atomic.Bool
	counts atomic.Pointer[[slots.Count]slotCount] // made when they are first switched on
}

type slotCount struct{ nanos, in, out atomic.Int64 }

func (s *slotCount) reset() {
	s.nanos.Store(0)
	s.in.Store(0)
	s.out.Store(0)
}

func (s *SlotStats) enable(on bool) {
	if on && s.counts.Load() == nil {
		s.counts.CompareAndSwap(nil, new([slots.Count]slotCount))
	}
	s.on.Store(on)
}

// reset is CONFIG RESETSTAT.
func (s *SlotStats) reset() {
	if counts := s.counts.Load(); counts != nil {
		for i := range counts {
			counts[i].reset()
		}
	}
}

// Follow forgets what slots cost that this node does not hold any more.
func (s *SlotStats) Follow(view *slots.View) {
	counts := s.counts.Load()
	if counts == nil {
		return
	}
	for i := range counts {
		if !view.Holds(slots.Slot(i)) {
			counts[i].reset()
		}
	}
}

// bookSlot counts a command that took so long for the slot of its keys, unless it was not served here.
func (c *Call) bookSlot(nanos int64, failed error) {
	keys, err := c.Cmd.AppendKeys(c.slotKeys[:0], c.Args)
	c.slotKeys = keys
	if err != nil || len(keys) == 0 || notServed(failed) {
		return
	}
	at := slots.Of(c.Args[keys[0]])
	for _, other := range keys[1:] {
		if slots.Of(c.Args[other]) != at {
			return
		}
	}
	count := &c.Env.SlotStats.counts.Load()[at]
	count.nanos.Add(nanos)
	count.in.Add(requestBytes(c.Args))
	_, reply := c.sizes()
	count.out.Add(reply)
}

// notServed reports whether an error says that the command is for another node, or for none.
func notServed(err error) bool {
	var redirect *slots.Redirect
	var unavailable slots.Unavailable
	return errors.As(err, &redirect) || errors.As(err, &unavailable)
}

const (
	errSlotMetric  Error = "ERR Unrecognized sort metric for ORDERBY."
	errSlotLimit   Error = "ERR Limit has to lie in between 1 and 16384 (maximum number of slots)."
	errSlotFilters Error = "ERR Multiple filters of the same type are disallowed."
)

// slotMetrics are what CLUSTER SLOT-STATS tells of a slot; all but the first only when they are counted.
var slotMetrics = []string{"key-count", "cpu-usec", "network-bytes-in", "network-bytes-out"}

// slotCost is what a slot costs, by slotMetrics.
type slotCost struct {
	at      slots.Slot
	metrics [4]int64
}

// slotCosts lists the slots of first to last that this node holds.
func (c *Call) slotCosts(first, last slots.Slot) []slotCost {
	var costs []slotCost
	view, counts := c.view(), c.Env.SlotStats.counts.Load()
	for at := int(first); at <= int(last); at++ {
		if !view.Holds(slots.Slot(at)) {
			continue
		}
		cost := slotCost{at: slots.Slot(at)}
		cost.metrics[0] = c.Env.Engine.Counters(cost.at).Keys
		if counts != nil {
			count := &counts[at]
			cost.metrics[1], cost.metrics[2], cost.metrics[3] = count.nanos.Load()/1000, count.in.Load(), count.out.Load()
		}
		costs = append(costs, cost)
	}
	return costs
}

func (c *Call) writeSlotCosts(costs []slotCost) {
	n := 1
	if c.Env.SlotStats.on.Load() {
		n = len(slotMetrics)
	}
	c.Out.Array(len(costs))
	for i := range costs {
		c.Out.Array(2)
		c.Out.Int(int64(costs[i].at))
		c.Out.Map(n)
		for k, name := range slotMetrics[:n] {
			c.Out.BulkString(name)
			c.Out.Int(costs[i].metrics[k])
		}
	}
}

// clusterSlotStats is CLUSTER SLOT-STATS of Valkey 8: SLOTSRANGE first last, or
// ORDERBY metric [LIMIT n] [ASC|DESC], the highest first.
func clusterSlotStats(c *Call) error {
	switch {
	case equalFold(c.Args[2], "slotsrange") && len(c.Args) == 5:
		return c.slotsRange()
	case equalFold(c.Args[2], "orderby"):
		return c.slotsOrderedBy()
	}
	return c.badSubcommand()
}

func (c *Call) slotsRange() error {
	first, err := parseSlot(c.Args[3])
	if err != nil {
		return err
	}
	last, err := parseSlot(c.Args[4])
	if err != nil {
		return err
	}
	if first > last {
		return errorf("ERR Start slot number %d is greater than end slot number %d", first, last)
	}
	c.writeSlotCosts(c.slotCosts(first, last))
	return nil
}

func (c *Call) slotsOrderedBy() error {
	metric := slices.Index(slotMetrics, strings.ToLower(string(c.Args[3])))
	if metric < 0 || metric > 0 && !c.Env.SlotStats.on.Load() {
		return errSlotMetric
	}
	limit, ascending := int64(slots.Count), false
	limited, ordered := false, false
	for i := 4; i < len(c.Args); i++ {
		switch word := c.Args[i]; {
		case equalFold(word, "limit") && i+1 < len(c.Args):
			if limited {
				return errSlotFilters
			}
			i++
			n, err := parseInteger(c.Args[i])
			if err != nil || n < 1 || n > slots.Count {
				return errSlotLimit
			}
			limit, limited = n, true
		case equalFold(word, "asc"), equalFold(word, "desc"):
			if ordered {
				return errSlotFilters
			}
			ascending, ordered = equalFold(word, "asc"), true
		default:
			return ErrSyntax
		}
	}
	costs := c.slotCosts(0, slots.Count-1)
	slices.SortStableFunc(costs, func(a, b slotCost) int {
		x, y := a.metrics[metric], b.metrics[metric]
		if !ascending {
			x, y = y, x
		}
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	c.writeSlotCosts(costs[:min(int64(len(costs)), limit)])
	return nil
}
