package main

import (
	"cmp"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"google.golang.org/protobuf/encoding/protojson"
)

const patience = 30 * time.Second // the client's own 5 s are too few where the machine is busy

// page is what the real worker shows in its Chrome. Here it only joins the room, as the page would.
type page struct {
	wsURL, token, address string

	lock sync.Mutex
	room *lksdk.Room
	left bool
}

func newPage(conf config, req *rpc.StartEgressRequest) (*page, error) {
	composite := req.GetRoomComposite()
	token, err := egress.BuildEgressToken(req.EgressId, conf.key, conf.secret, composite.RoomName)
	if err != nil {
		return nil, err
	}
	p := &page{wsURL: cmp.Or(req.WsUrl, conf.wsURL), token: cmp.Or(req.Token, token)}
	address, err := url.Parse(cmp.Or(composite.CustomBaseUrl, conf.template))
	if err != nil || (address.Scheme != "http" && address.Scheme != "https") {
		return nil, invalid("template base url")
	}
	query := address.Query()
	query.Set("layout", composite.Layout)
	query.Set("url", p.wsURL)
	query.Set("token", p.token)
	address.RawQuery = query.Encode()
	p.address = address.String()
	return p, nil
}

// note writes down what a test may want to know of a job: FOLDER/jobs/EGRESS_ID.json.
func (p *page) note(folder string, info *livekit.EgressInfo) error {
	shown, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(info)
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{"page": p.address, "info": json.RawMessage(shown)})
	if err != nil {
		return err
	}
	return write(filepath.Join(folder, "jobs", info.EgressId+".json"), text)
}

// write makes the folders on the way, too.
func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// join enters the room and stays; `closed` is called when the room is gone, or the recorder removed from it.
func (p *page) join(closed func()) error {
	callback := &lksdk.RoomCallback{OnDisconnected: func() {
		if !p.hasLeft() {
			closed()
		}
	}}
	room, err := lksdk.ConnectToRoomWithToken(p.wsURL, p.token, callback,
		lksdk.WithAutoSubscribe(false), lksdk.WithDisableRegionDiscovery(), lksdk.WithConnectTimeout(patience))
	if err != nil {
		return err
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.room = room
	return nil
}

// leave may be called again, and before there was anything to leave.
func (p *page) leave() {
	p.lock.Lock()
	room := p.room
	p.room, p.left = nil, true
	p.lock.Unlock()
	if room != nil {
		room.Disconnect()
	}
}

// hasLeft tells a recorder that went by itself from one that was thrown out.
func (p *page) hasLeft() bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.left
}
