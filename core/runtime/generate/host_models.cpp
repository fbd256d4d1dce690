// See host_models.h. Nothing thrown leaves: plugins may be written in C.
#include "runtime/generate/host_models.h"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>

#include "host/plugin/plugin_error.h"
#include "model/model_folder.h"
#include "runtime/generate/chat_model.h"
#include "runtime/generate/chat_requests.h"

struct retort_model {
  retort_model(const std::filesystem::path& folder, retort::runtime::DecoderOptions options) : chat(folder, options) {}
  retort::runtime::ChatModel chat;
};

namespace retort::runtime {
namespace {

constexpr std::int64_t kDefaultSequences = 8;

template <class Body>
retort_error* guarded(const Body& body) {
  const auto error = [](std::int32_t code, const char* message) {
    return host::host_services().error_new(code, host::to_abi(message));
  };
  try {
    body();
    return nullptr;
  } catch (const StopRequested&) {
    return error(RETORT_ERROR_STOPPED, "stopped on request");
  } catch (const std::invalid_argument& reason) {
    return error(RETORT_ERROR_INVALID_ARGUMENT, reason.what());
  } catch (const std::bad_alloc&) {
    return error(RETORT_ERROR_RUNTIME, "out of memory");
  } catch (const std::exception& reason) {
    return error(RETORT_ERROR_RUNTIME, reason.what());
  } catch (...) {
    return error(RETORT_ERROR_INTERNAL, "an exception that is not a std::exception");
  }
}

DecoderOptions decoder_options(const retort_model_options& options, const std::filesystem::path& folder) {
  if (options.threads < 0)
    throw std::invalid_argument("threads: expected 0 (the host's choice) or more, found " +
                                std::to_string(options.threads));
  if (options.sequences < 0 || options.sequences > kMaxSequences)
    throw std::invalid_argument("sequences: expected 0 (the host's choice) to " + std::to_string(kMaxSequences) +
                                ", found " + std::to_string(options.sequences));
  DecoderOptions wanted{.threads = options.threads,
                        .sequences = options.sequences > 0 ? options.sequences : kDefaultSequences};
  // A model that stays in the caches is fastest on one thread.
  if (wanted.threads == 0)
    wanted.threads = model::ModelFolder(folder).config().parameters() < kBf16Parameters ? 1 : omp_get_num_procs();
  return wanted;
}

retort_error* open(const retort_model_options* options, retort_model** out) {
  return guarded([&] {
    *out = nullptr;
    const std::filesystem::path folder = host::to_std(options->folder);
    *out = new retort_model(folder, decoder_options(*options, folder));
  });
}

void close(retort_model* model) {
  delete model;
}

retort_error* describe(retort_model* model, const retort_text_sink* json) {
  return guarded([&] { json->write(json->context, host::to_abi(model->chat.description().dump())); });
}

using Requests = void (*)(ChatModel&, std::string_view, const TakeItem&, const ShouldStop&);

retort_error* answer(Requests function, retort_model* model, retort_string requests, const retort_item_sink* items) {
  return guarded([&] {
    const TakeItem take = [items](std::size_t index, const nlohmann::json& item) {
      // Half a character at the end of an answer that was cut is no reason to lose it.
      const std::string text = item.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      items->item(items->context, index, host::to_abi(text));
    };
    function(model->chat, std::string_view(requests.data, requests.size), take, host::stop_requested);
  });
}

retort_error* complete_requests(retort_model* model, retort_string requests, const retort_item_sink* items) {
  return answer(complete, model, requests, items);
}

retort_error* score_requests(retort_model* model, retort_string requests, const retort_item_sink* items) {
  return answer(score, model, requests, items);
}

}  // namespace

const retort_host_models_v1& host_models() {
  static constexpr retort_host_models_v1 table{
      RETORT_HOST_MODELS_V1_SIZE, 0, open, close, describe, complete_requests, score_requests};
  return table;
}

}  // namespace retort::runtime
