package sim

import (
	"testing"

	"cobble/cluster"
)

// mutantSeeds bounds the search for a seed that catches a planted bug.
const mutantSeeds = 1000

// TestMutants plants one bug after the other. The simulator must notice each.
func TestMutants(t *testing.T) {
	for i := range cluster.Mutations {
		bug := cluster.Mutation(1) << i
		t.Run(bug.String(), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(mutantSeeds) {
				for _, s := range stories {
					w := s.run(seed, bug, nil)
					if len(w.Failures) > 0 && len(s.run(seed, 0, nil).Failures) == 0 {
						t.Logf("caught by %s %d: %.150s", s.name, seed, w.Failures[0])
						return
					}
				}
			}
			t.Errorf("%v survives %d seeds", bug, mutantSeeds)
		})
	}
}
