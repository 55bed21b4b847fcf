package command

import (
	"net/netip"
	"strconv"
	"strings"

	"cobble/cluster"
	"cobble/slots"
	"cobble/storage"
)

func slotOf(key []byte) slots.Slot { return slots.Of(key) }

const errSlot Error = "ERR Invalid or out of range slot"

func parseSlot(arg []byte) (slots.Slot, error) {
	n, ok := storage.ParseInt(arg)
	if !ok || n < 0 || n >= slots.Count {
		return 0, errSlot
	}
	return slots.Slot(n), nil
}

// named puts the client's spelling of an id that is none back into an error
// text of the machine, which was given the zero ID in its place.
func named(text string, given []string) string {
	zero := cluster.ID{}.String()
	for _, word := range given {
		text = strings.Replace(text, zero, word, 1)
	}
	return text
}

// slotArguments reads the slots, or pairs of first and last slot, of ADDSLOTS,
// DELSLOTS and their RANGE variants. All are parsed before any is checked; the
// checks stop at the first slot that fails.
func (c *Call) slotArguments(unassigned bool) (slots.Set, error) {
	var set slots.Set
	ranges, err := c.slotRanges()
	if err != nil {
		return set, err
	}
	view := c.Env.Cluster.View()
	for _, r := range ranges {
		for s := int(r.First); s <= int(r.Last); s++ {
			slot := slots.Slot(s)
			owned := view.Owner(slot) != nil
			switch {
			case unassigned && owned:
				return set, Error("ERR Slot " + strconv.Itoa(s) + " is already busy")
			case !unassigned && !owned:
				return set, Error("ERR Slot " + strconv.Itoa(s) + " is already unassigned")
			case set.Has(slot):
				return set, Error("ERR Slot " + strconv.Itoa(s) + " specified multiple times")
			}
			set.Add(slot)
		}
	}
	return set, nil
}

func (c *Call) slotRanges() ([]slots.Range, error) {
	args := c.Args[2:]
	var out []slots.Range
	if !strings.HasSuffix(c.Cmd.Name, "range") {
		for _, arg := range args {
			slot, err := parseSlot(arg)
			if err != nil {
				return nil, err
			}
			out = append(out, slots.Range{First: slot, Last: slot})
		}
		return out, nil
	}
	if len(args)%2 != 0 {
		return nil, Error("ERR wrong number of arguments for '" + c.Cmd.FullName() + "' command")
	}
	for i := 0; i < len(args); i += 2 {
		first, err := parseSlot(args[i])
		if err != nil {
			return nil, err
		}
		last, err := parseSlot(args[i+1])
		if err != nil {
			return nil, err
		}
		if first > last {
			return nil, Error("ERR start slot number " + strconv.Itoa(int(first)) + " is greater than end slot number " + strconv.Itoa(int(last)))
		}
		out = append(out, slots.Range{First: first, Last: last})
	}
	return out, nil
}

func clusterAddSlots(c *Call) error {
	set, err := c.slotArguments(true)
	if err != nil {
		return err
	}
	return c.change(cluster.AddSlots{Slots: set})
}

func clusterDelSlots(c *Call) error {
	set, err := c.slotArguments(false)
	if err != nil {
		return err
	}
	return c.change(cluster.DelSlots{Slots: set})
}

func (c *Call) hasKeys() bool {
	for s := range slots.Count {
		if c.Env.Engine.Counters(slots.Slot(s)).Keys > 0 {
			return true
		}
	}
	return false
}

func clusterFlushSlots(c *Call) error { return c.change(cluster.FlushSlots{HasKeys: c.hasKeys()}) }
func clusterBumpEpoch(c *Call) error  { return c.change(cluster.BumpEpoch{}) }
func clusterSaveConfig(c *Call) error { return c.change(cluster.SaveConfig{}) }

func clusterForget(c *Call) error {
	return c.change(cluster.Forget{ID: nodeID(c.Args[2])}, string(c.Args[2]))
}

func clusterReplicate(c *Call) error {
	return c.change(cluster.Replicate{ID: nodeID(c.Args[2]), HasKeys: c.hasKeys()}, string(c.Args[2]))
}

func clusterSetConfigEpoch(c *Call) error {
	epoch, err := parseInteger(c.Args[2])
	if err != nil {
		return err
	}
	return c.change(cluster.SetConfigEpoch{Epoch: epoch})
}

// clusterMeet is MEET ip port [bus-port]. Only what is no address is an error
// here; whether anybody answers is found out later.
func clusterMeet(c *Call) error {
	if len(c.Args) > 5 {
		return c.badSubcommand()
	}
	host := string(c.Args[2])
	port, ok := storage.ParseInt(c.Args[3])
	if !ok {
		return errorf("ERR Invalid TCP base port specified: %s", c.Args[3])
	}
	bus := port + 10000
	if len(c.Args) == 5 {
		if bus, ok = storage.ParseInt(c.Args[4]); !ok {
			return errorf("ERR Invalid TCP bus port specified: %s", c.Args[4])
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" || port <= 0 || port > 65535 || bus <= 0 || bus > 65535 {
		return errorf("ERR Invalid node address specified: %s:%s", host, c.Args[3])
	}
	return c.change(cluster.Meet{Addr: cluster.Addr{IP: ip.String(), Port: uint16(port), BusPort: uint16(bus)}})
}

func clusterReset(c *Call) error {
	hard := false
	switch {
	case len(c.Args) > 3:
		return c.badSubcommand()
	case len(c.Args) == 3 && equalFold(c.Args[2], "hard"):
		hard = true
	case len(c.Args) == 3 && !equalFold(c.Args[2], "soft"):
		return ErrSyntax
	}
	return c.change(cluster.Reset{Hard: hard, HasKeys: c.hasKeys()})
}

func clusterFailover(c *Call) error {
	mode := cluster.FailoverNormal
	switch {
	case len(c.Args) > 3:
		return c.badSubcommand()
	case len(c.Args) == 3 && equalFold(c.Args[2], "force"):
		mode = cluster.FailoverForce
	case len(c.Args) == 3 && equalFold(c.Args[2], "takeover"):
		mode = cluster.FailoverTakeover
	case len(c.Args) == 3:
		return ErrSyntax
	}
	return c.change(cluster.Failover{Mode: mode})
}

// clusterSetSlot is SETSLOT slot MIGRATING id | IMPORTING id | NODE id | STABLE.
func clusterSetSlot(c *Call) error {
	if !c.Env.Cluster.View().Myself().IsPrimary() {
		return Error("ERR Please use SETSLOT only with masters.")
	}
	slot, err := parseSlot(c.Args[2])
	if err != nil {
		return err
	}
	action := c.Args[3]
	if len(c.Args) == 4 && equalFold(action, "stable") {
		return c.change(cluster.SetSlotStable{Slot: slot})
	}
	if len(c.Args) == 5 {
		id, word := nodeID(c.Args[4]), string(c.Args[4])
		switch {
		case equalFold(action, "migrating"):
			return c.change(cluster.SetSlotMigrating{Slot: slot, To: id}, word)
		case equalFold(action, "importing"):
			return c.change(cluster.SetSlotImporting{Slot: slot, From: id}, word)
		case equalFold(action, "node"):
			keys := c.Env.Engine.Counters(slot).Keys
			return c.change(cluster.SetSlotNode{Slot: slot, ID: id, Keys: int(keys)}, word)
		}
	}
	return Error("ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP")
}

func clusterCountKeysInSlot(c *Call) error {
	n, err := parseInteger(c.Args[2])
	if err != nil {
		return err
	}
	if n < 0 || n >= slots.Count {
		return Error("ERR Invalid slot")
	}
	c.Out.Int(c.Env.Engine.Counters(slots.Slot(n)).Keys)
	return nil
}

func clusterGetKeysInSlot(c *Call) error {
	slot, err := parseInteger(c.Args[2])
	if err != nil {
		return err
	}
	limit, err := parseInteger(c.Args[3])
	if err != nil {
		return err
	}
	if slot < 0 || slot >= slots.Count || limit < 0 {
		return Error("ERR Invalid slot or number of keys")
	}
	start := c.Out.Len()
	lsn, err := c.Env.Engine.View(c.Now, slots.Slot(slot), storage.OpFunc(func(tx *storage.Tx) error {
		c.Out.CutTo(start)
		keys, err := tx.KeysInSlot(slots.Slot(slot), int(min(limit, 1<<20)))
		if err != nil {
			return err
		}
		c.Out.Array(len(keys))
		for _, key := range keys {
			c.Out.Bulk(key)
		}
		return nil
	}))
	c.LSN = max(c.LSN, lsn)
	return err
}

// debugPartition is DEBUG PARTITION [node-id …].
func debugPartition(c *Call) error {
	if c.Env.Cluster == nil {
		return errNoCluster
	}
	var nodes []cluster.ID
	for _, arg := range c.Args[2:] {
		n, err := c.knownNode(arg)
		if err != nil {
			return err
		}
		nodes = append(nodes, n.ID)
	}
	c.Env.Cluster.Cut(nodes)
	c.Out.OK()
	return nil
}
