"""A web service: a page, and an answer in JSON."""

import argparse
import os
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.templating import Jinja2Templates

app = FastAPI()
templates = Jinja2Templates(Path(__file__).parent / "templates")


@app.get("/")
def page(request: Request):
    """A page that names the process that made it."""
    return templates.TemplateResponse(request, "page.html", {"process": os.getpid()})


@app.get("/sum")
def add(a: float, b: float):
    """Add two numbers."""
    return {"sum": a + b}


def main():
    """Serve, in as many processes as requested."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    uvicorn.run("service:app", port=options.port, workers=options.workers, log_level="warning")
