package main

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	"google.golang.org/protobuf/proto"
)

func invalid(field string) error {
	return psrpc.NewErrorf(psrpc.InvalidArgument, "request has missing or invalid field: %s", field)
}

// infoOf is a new job's state. livekit-server keeps the request in it, so its credentials are taken out.
func infoOf(req *rpc.StartEgressRequest) (*livekit.EgressInfo, error) {
	composite := req.GetRoomComposite()
	if composite == nil {
		return nil, invalid("request")
	}
	if len(filesOf(composite)) != 1 {
		return nil, invalid("output")
	}
	shown := proto.Clone(composite).(*livekit.RoomCompositeEgressRequest)
	egress.RedactEncodedOutputs(shown)
	now := time.Now().UnixNano()
	file := &livekit.FileInfo{Filename: filenameOf(filesOf(composite)[0])}
	return &livekit.EgressInfo{
		EgressId:    req.EgressId,
		RoomId:      req.RoomId,
		RoomName:    composite.RoomName,
		SourceType:  livekit.EgressSourceType_EGRESS_SOURCE_TYPE_WEB,
		Status:      livekit.EgressStatus_EGRESS_STARTING,
		StartedAt:   now,
		UpdatedAt:   now,
		Request:     &livekit.EgressInfo_RoomComposite{RoomComposite: shown},
		FileResults: []*livekit.FileInfo{file},
		Result:      &livekit.EgressInfo_File{File: file},
	}, nil
}

func filesOf(composite *livekit.RoomCompositeEgressRequest) []*livekit.EncodedFileOutput {
	if file := composite.GetFile(); file != nil && len(composite.FileOutputs) == 0 {
		return []*livekit.EncodedFileOutput{file}
	}
	return composite.FileOutputs
}

// filenameOf is the path of the request, without a way out of its folder and with an extension.
func filenameOf(file *livekit.EncodedFileOutput) string {
	name := path.Clean(file.Filepath)
	for strings.HasPrefix(name, "../") {
		name = name[3:]
	}
	extension := ".mp4"
	if file.FileType == livekit.EncodedFileType_OGG {
		extension = ".ogg"
	}
	if !strings.HasSuffix(name, extension) {
		name += extension
	}
	return name
}

// output is the file of a job: in a folder of its own while it is recorded, then where it was asked for.
type output struct {
	conf config
	file *livekit.FileInfo // the one in the job's state
	s3   *livekit.S3Upload
	room string
	temp string
}

func newOutput(conf config, req *rpc.StartEgressRequest, info *livekit.EgressInfo) *output {
	file := info.FileResults[0]
	return &output{
		conf: conf, file: file, room: info.RoomName,
		s3:   filesOf(req.GetRoomComposite())[0].GetS3(),
		temp: filepath.Join(conf.folder, "tmp", info.EgressId, path.Base(file.Filename)),
	}
}

func (o *output) begin() error {
	o.file.StartedAt = time.Now().UnixNano()
	return write(o.temp, []byte("a recording of "+o.room+"\n"))
}

func (o *output) stop() {
	if o.file.StartedAt != 0 {
		o.file.EndedAt = time.Now().UnixNano()
		o.file.Duration = o.file.EndedAt - o.file.StartedAt
	}
}

// finish puts the file in its place. `refusal` is what the store says, where it refuses whatever comes.
func (o *output) finish(refusal string) error {
	o.stop()
	defer func() { _ = os.RemoveAll(filepath.Dir(o.temp)) }()
	content, err := os.ReadFile(o.temp)
	if err != nil {
		return o.uploadFailed(err.Error())
	}
	if refusal = o.refused(refusal); refusal != "" {
		return o.uploadFailed(refusal)
	}
	place, location := o.place()
	if err := write(place, content); err != nil {
		return o.uploadFailed(err.Error())
	}
	o.file.Size, o.file.Location = int64(len(content)), location
	return nil
}

// refused is what an object store may say: too much, the credentials and a token among it.
func (o *output) refused(refusal string) string {
	if o.s3 == nil || (refusal == "" && o.admitted()) {
		return refusal
	}
	return fmt.Sprintf("PutObject: %s: key %s, secret %s, X-Amz-Security-Token=a-token-of-the-worker",
		cmp.Or(refusal, "StatusCode: 403, InvalidAccessKeyId"), o.s3.AccessKey, o.s3.Secret)
}

// admitted is true of a request without credentials, too: the machine of a worker may have an identity of its own.
func (o *output) admitted() bool {
	return o.conf.s3Key == "" || o.s3.AccessKey == "" ||
		(o.s3.AccessKey == o.conf.s3Key && o.s3.Secret == o.conf.s3Secret)
}

func (o *output) uploadFailed(why string) error {
	name := "Local"
	if o.s3 != nil {
		name = "S3"
	}
	return psrpc.NewErrorf(psrpc.InvalidArgument, "%s upload failed: %s", name, why)
}

// place is where the file goes, and what it is called to those who ask LiveKit.
func (o *output) place() (string, string) {
	if o.s3 == nil {
		return filepath.Join(o.conf.folder, o.file.Filename), o.file.Filename
	}
	host := "https://" + o.s3.Bucket + ".s3.amazonaws.com"
	if o.s3.Endpoint != "" {
		host = strings.TrimSuffix(o.s3.Endpoint, "/") + "/" + o.s3.Bucket
	}
	place := filepath.Join(o.conf.folder, "s3", o.s3.Bucket, o.file.Filename)
	return place, host + "/" + strings.TrimPrefix(o.file.Filename, "/")
}
