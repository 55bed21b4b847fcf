// Command bench runs the same load against Cobble and redis-server by turns and
// prints what they did as ratios. It measures; it judges nothing and knows nothing
// of either server but its command line.
package main
