package differential

// maxRuns bounds how often a sequence is run again to make it shorter.
const maxRuns = 600

// shrink makes a failing sequence as short as it can while it fails, and then its arguments as plain. fails runs a
// candidate and gives its difference, nil when there is none.
func shrink(steps []step, d *difference, runs func([]step) *difference) ([]step, *difference) {
	left := maxRuns
	fails := func(candidate []step) *difference {
		if left--; left < 0 {
			return nil
		}
		return runs(candidate)
	}
	if d.at < len(steps) {
		steps = steps[:d.at+1]
	}
	steps, d = dropSteps(steps, d, fails)
	for i := range steps {
		steps, d = simplify(steps, i, d, fails)
	}
	return dropSteps(steps, d, fails)
}

// dropSteps removes runs of steps, long ones first.
func dropSteps(steps []step, d *difference, fails func([]step) *difference) ([]step, *difference) {
	for size := len(steps) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(steps); {
			shorter := append(append([]step(nil), steps[:at]...), steps[at+size:]...)
			if e := fails(shorter); e != nil {
				steps, d = shorter, e
			} else {
				at += size
			}
		}
	}
	return steps, d
}

// simplify tries to drop arguments of one step, and to put plainer ones in their place.
func simplify(steps []step, i int, d *difference, fails func([]step) *difference) ([]step, *difference) {
	try := func(args []string) bool {
		if unfit(args, steps[i].lapse) {
			return false
		}
		changed := append([]step(nil), steps...)
		changed[i] = step{session: steps[i].session, args: args, lapse: steps[i].lapse}
		e := fails(changed)
		if e != nil {
			steps, d = changed, e
		}
		return e != nil
	}
	for j := len(steps[i].args) - 1; j > 0; j-- {
		args := steps[i].args
		if try(append(append([]string(nil), args[:j]...), args[j+1:]...)) {
			continue
		}
		for _, plain := range []string{"{t}a", "0", "1", "x"} {
			if len(args[j]) <= len(plain) || args[j] == plain {
				continue
			}
			with := append([]string(nil), args...)
			with[j] = plain
			if try(with) {
				break
			}
		}
	}
	return steps, d
}
