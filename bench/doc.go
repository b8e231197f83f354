// Package bench compares assignment with evaluators that others wrote, in one
// run on one machine, and with the least that any evaluator must do. It is a
// module of its own, so that the peers are no dependency of the project.
//
//	go test -run '^$' -bench . -benchtime 300ms -count 6 -cpu 1 .
//	go run ./cmd/ofrepload
package bench
