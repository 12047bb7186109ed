package main

import (
	"fmt"
	"strconv"
	"sync"
	"time"
)

// settings are the faults that a test can ask for. The zero value is a worker in good health.
type settings struct {
	maxJobs    int           // it is full with so many; 0: never
	slowStart  time.Duration // StartEgress answers so much later
	lateActive time.Duration // a job stays STARTING for so long
	failStart  string        // a job never becomes ACTIVE, and FAILED says this
	failAfter  time.Duration // a job fails when it was ACTIVE for so long
	slowStop   time.Duration // a job stays ENDING for so long
	ignoreStop bool          // a job that was told to end stays ENDING for ever
	refuse     string        // the upload is refused, and FAILED says this
	loseReply  bool          // a job begins, and StartEgress never answers
}

// switches are settings that change while the worker runs.
type switches struct {
	lock sync.Mutex
	now  settings
}

func (s *switches) get() settings {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.now
}

func (s *switches) set(name, value string) (err error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	switch name {
	case "max_jobs":
		s.now.maxJobs, err = strconv.Atoi(value)
	case "slow_start":
		s.now.slowStart, err = time.ParseDuration(value)
	case "late_active":
		s.now.lateActive, err = time.ParseDuration(value)
	case "fail_start":
		s.now.failStart = value
	case "fail_after":
		s.now.failAfter, err = time.ParseDuration(value)
	case "slow_stop":
		s.now.slowStop, err = time.ParseDuration(value)
	case "ignore_stop":
		s.now.ignoreStop, err = strconv.ParseBool(value)
	case "refuse_output":
		s.now.refuse = value
	case "lose_reply":
		s.now.loseReply, err = strconv.ParseBool(value)
	default:
		err = fmt.Errorf("no switch is called %q", name)
	}
	return err
}
