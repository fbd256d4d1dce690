// The search for the smallest (or fastest, or best) model within limits: a grid of shapes and of ways to store each;
// cheap figures first, then successive halving (Jamieson and Talwalkar, arXiv 1502.07943): the shapes that survive a
// rung recover for longer. What cuts, recovers and measures is a Workbench; this file only decides.
//
//   1. Every shape is cut; the bytes of each candidate are known without measuring, its latency is measured with the
//      weights that the cut left. What exceeds a limit is dropped, with its reason.
//   2. Limits that every candidate exceeds are refused, by how much: before anything is trained.
//   3. At each rung the shapes that are left recover, and each of their candidates is measured on labelled rows; then
//      the share `survivors` of the shapes goes on, in the order of survival_order() by their best candidate.
//   4. Of all candidates that were measured at a rung, each at its last one, the best that fits is the answer.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pareto.h"

namespace retort::search {

/// What is cut off the source.
struct Shape {
  double width = 0;             ///< share of the parameters that goes
  std::int64_t depth = 0;       ///< layers that go
  std::int64_t vocabulary = 0;  ///< tokens that stay; 0: all
  bool whole() const { return width == 0 && depth == 0 && vocabulary == 0; }
  std::string name() const;  ///< "v512-l1-w0.2", "whole"
  bool operator==(const Shape&) const = default;
};

/// How its weights are stored.
struct Storage {
  std::size_t quantizer = 0;  ///< of the stage's list
  std::string label;          ///< "rtn-int4-g32-pure"
  bool pure = false;          ///< stage.quantize's parameter
  std::string activations = "float";
  double mixed = 0;  ///< share of the way from the quantizer's bytes to those of int8, for the layers worth most
};

/// Does the work. Everything is found again by a later search in the same folders.
class Workbench {
 public:
  Workbench() = default;
  Workbench(const Workbench&) = delete;
  Workbench& operator=(const Workbench&) = delete;
  virtual ~Workbench() = default;
  virtual void cut(const Shape& shape) = 0;
  /// Of the cut: bytes exactly, without codes or weights being looked at; nothing where they depend on them.
  virtual std::optional<std::int64_t> bytes(const Shape& shape, const Storage& storage) = 0;
  /// Of the cut as it is: `bytes`, `milliseconds` as a call would take, `loss`.
  virtual Figures proxies(const Shape& shape, const Storage& storage) = 0;
  /// From the cut, or from the rung before. What it throws drops the shape, but for Stopped.
  virtual void recover(const Shape& shape, std::size_t rung) = 0;
  virtual Figures measure(const Shape& shape, std::size_t rung, const Storage& storage) = 0;
};

struct SearchOptions {
  std::vector<Shape> shapes;
  std::vector<Storage> storages;
  std::size_t rungs = 2;
  double survivors = 0.5;  ///< share of the shapes that a rung leaves; at least one stays
  Limits limits;
  Preference preference = Preference::bytes;
  std::filesystem::path journal;  ///< what was measured, for a search that was killed; "": none
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

struct Candidate {
  Shape shape;
  Storage storage;
  Figures figures;
  std::int64_t rung = -1;  ///< the last that it was measured at; -1: none
  std::string dropped;     ///< why it went no further; "" at the last rung
  bool front = false;      ///< on the Pareto front of what was measured at a rung
  std::string name() const { return shape.name() + "/" + storage.label; }
};

struct SearchResult {
  std::vector<Candidate> candidates;  ///< all, shape by shape
  std::size_t best = 0;               ///< what fits, or the nearest
  bool found = false;
  std::string failure;  ///< which limits cannot be met and by how much; "" where found
};

/// {"bytes", "milliseconds", "exact_match", "loss"}.
nlohmann::json to_json(const Figures& figures);

/// Throws std::invalid_argument for an empty grid and for limits that every candidate exceeds, by how much.
SearchResult search(const SearchOptions& options, Workbench& workbench);

}  // namespace retort::search
