// Package metamorphic runs the same random operations on one node, on a cluster,
// and on a cluster whose slots move and whose primaries are killed: every reply and
// the data in the end must be the same. All servers are real processes.
package metamorphic
