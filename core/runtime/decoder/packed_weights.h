// The packed form of a model folder's weights: what Linear layers and the embedding keep in memory, in one file in the
// folder (model/packed_file.h), model.<instruction set>.packed. Norms and biases, which are small, are read from the
// folder as ever. A packed model gives the bits that the folder gives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/model_folder.h"
#include "model/packed_file.h"

namespace retort::runtime {

/// How weights come into memory.
enum class WeightSource : std::uint8_t {
  packed,  ///< from the folder's packed file, if it has one that fits; else as `folder`
  folder,  ///< packed anew from what the folder stores
};

/// Names the instruction set that kernels are chosen by (oneDNN's, so ONEDNN_MAX_CPU_ISA counts): "avx512_core_vnni".
std::string instruction_set_name();
/// Where the packed file for this machine stands in `folder`.
std::filesystem::path packed_weights_path(const std::filesystem::path& folder);
/// Whether a file of a model folder is a packed file, of whatever machine: those are never copied with a model.
bool is_packed_file(const std::filesystem::path& file);

/// The folder's packed weights, or null. One that is there and does not fit (another version, other weights, cut,
/// damaged) is named by one warning, those of other machines alone by one line.
std::shared_ptr<const model::PackedFile> open_packed_weights(const model::ModelFolder& folder);

/// Reads the folder's packed files that fit from end to end: "NAME: …" for each that has other bytes than were written.
std::vector<std::string> damaged_packed_files(const model::ModelFolder& folder);

/// What write_packed_weights made.
struct PackedWeights {
  std::filesystem::path path;
  std::int64_t bytes = 0;
};

/// Packs the folder's weights for this machine and writes the file, in place of an older one. Throws as Decoder and
/// write_packed_file, and std::invalid_argument for a folder in memory.
PackedWeights write_packed_weights(const model::ModelFolder& folder, std::int64_t threads);

}  // namespace retort::runtime
