package differential

import "math/rand/v2"

// Workload generates commands of all families but that of connections, for tests that compare what servers have after
// them: many are wrong, and many of them wait for nothing.
func Workload(seed uint64, commands int) [][]string {
	rng := rand.New(rand.NewPCG(seed, 11))
	var fit []*family
	for _, f := range families {
		if f.name != "connection" {
			fit = append(fit, f)
		}
	}
	out := make([][]string, commands)
	for i := range out {
		g := &generator{rand: rng, family: fit[rng.IntN(len(fit))]}
		out[i] = g.command()
	}
	return out
}
