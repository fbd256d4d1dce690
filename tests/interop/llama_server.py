"""llama.cpp's llama-server on one GGUF file, in f32 from end to end, for the length of a `with` block."""
import json
import os
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request

PORT = 18742


class LlamaServer:
    """`command` is what starts llama-server; the program ends if the server does not come up within a minute."""

    def __init__(self, command, gguf, context=512):
        self.command = [*shlex.split(command), "-m", str(gguf), "--host", "127.0.0.1", "--port", str(PORT), "-t", os.environ.get("PEER_THREADS", "2"),
                        "-c", str(context), "--flash-attn", "off", "-ctk", "f32", "-ctv", "f32"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error):
        self.stop()

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def wait_until_ready(self):
        for _ in range(300):
            if self.process.poll() is not None:
                sys.exit(f"llama-server ended with code {self.process.returncode}")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=2)
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        sys.exit("llama-server was not ready within a minute")

    def post(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=3600) as answer:
            return json.load(answer)
