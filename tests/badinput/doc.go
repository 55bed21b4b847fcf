// Package badinput gives real servers what no client, operator or disk should give them: broken protocol, nonsense
// commands, bad settings, damaged files, a full disk. Each time there is an error that says what is wrong, and a server
// that runs stays up; nothing that it acknowledged is lost and its log shows no panic.
//
// Planted bugs (mutant_test.go) show that the suite notices; COBBLE_MUTANTS=1 runs all of them, not only the first.
// COBBLE_BIG=1 adds values of 512 MB, which take gigabytes of memory.
package badinput
