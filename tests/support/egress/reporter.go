package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
)

const (
	createTimeout = 15 * time.Second
	updateTimeout = 30 * time.Second
	firstPause    = 250 * time.Millisecond
	longestPause  = 2 * time.Second // a minute in the real worker, which no test would wait for
)

// reporter tells livekit-server how jobs go. While it cannot, the worker takes no jobs.
type reporter struct {
	io      rpc.IOInfoClient
	healthy atomic.Bool
	pending sync.WaitGroup

	lock sync.Mutex
	next map[string]*livekit.EgressInfo // what is to be told of a job; nil while it is being told
}

func newReporter(bus psrpc.MessageBus) (*reporter, error) {
	io, err := rpc.NewIOInfoClient(bus)
	if err != nil {
		return nil, err
	}
	r := &reporter{io: io, next: map[string]*livekit.EgressInfo{}}
	r.healthy.Store(true)
	return r, nil
}

// create tells of a new job; it must have been told before anything else is.
func (r *reporter) create(info *livekit.EgressInfo) error {
	_, err := r.io.CreateEgress(context.Background(), info, psrpc.WithRequestTimeout(createTimeout))
	return err
}

// update tells of a job in the order of the calls, though only the last of those that wait.
func (r *reporter) update(info *livekit.EgressInfo) {
	r.lock.Lock()
	defer r.lock.Unlock()
	_, busy := r.next[info.EgressId]
	r.next[info.EgressId] = info
	if !busy {
		r.pending.Add(1)
		go r.tellAll(info.EgressId)
	}
}

func (r *reporter) tellAll(id string) {
	defer r.pending.Done()
	for info := r.take(id); info != nil; info = r.take(id) {
		r.tell(info)
	}
}

func (r *reporter) take(id string) *livekit.EgressInfo {
	r.lock.Lock()
	defer r.lock.Unlock()
	info := r.next[id]
	if info == nil {
		delete(r.next, id)
	} else {
		r.next[id] = nil
	}
	return info
}

func (r *reporter) tell(info *livekit.EgressInfo) {
	for pause := firstPause; ; {
		_, err := r.io.UpdateEgress(context.Background(), info, psrpc.WithRequestTimeout(updateTimeout))
		silent := errors.Is(err, psrpc.ErrRequestTimedOut) || errors.Is(err, psrpc.ErrNoResponse)
		r.healthy.Store(!silent)
		if !silent {
			slog.Info("told", "egress", info.EgressId, "status", info.Status.String(), "lost", err != nil)
			return
		}
		pause = min(2*pause, longestPause)
		time.Sleep(pause)
	}
}
