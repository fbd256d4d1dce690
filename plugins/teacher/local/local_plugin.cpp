// ABI glue of teacher.local.
#include <cstdint>
#include <memory>
#include <retort/host_models.hpp>
#include <retort/plugin.hpp>
#include <retort/teacher.hpp>
#include <string>
#include <utility>
#include <vector>

#include "local.h"

namespace {

namespace local = retort::local;
using nlohmann::json;

class LocalTeacher final : public retort::Teacher {
 public:
  struct Params {
    std::string model;
    double temperature = 0.0, top_p = 1.0;
    std::int64_t top_k = 0, n = 1, max_tokens = 256, seed = 0, top_logprobs = 0;
    bool grammar = false;
    std::int64_t threads = 0, sequences = 0;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("model", &Params::model)
        .required()
        .existing_path()
        .doc("folder of a model that Retort made, or of any that its runtime reads")
        .number("temperature", &Params::temperature)
        .at_least(0)
        .doc("of requests that name none; 0: the likeliest answer")
        .number("top_p", &Params::top_p)
        .above(0)
        .at_most(1)
        .doc("likewise; 1 is off")
        .integer("top_k", &Params::top_k)
        .at_least(0)
        .doc("0 is off")
        .integer("n", &Params::n)
        .at_least(1)
        .at_most(128)
        .doc("answers to a request that names no number")
        .integer("max_tokens", &Params::max_tokens)
        .at_least(1)
        .unit("token")
        .doc("length of an answer at most")
        .integer("seed", &Params::seed)
        .at_least(0)
        .doc("of requests that name none")
        .integer("top_logprobs", &Params::top_logprobs)
        .at_least(0)
        .at_most(20)
        .doc("log-probabilities of so many tokens at each place of the answers; 0: none")
        .boolean("grammar", &Params::grammar)
        .doc("answers can be nothing but calls of the tools")
        .integer("threads", &Params::threads)
        .at_least(0)
        .doc("0: the host's choice")
        .integer("sequences", &Params::sequences)
        .at_least(0)
        .at_most(64)
        .doc("decoded together; 0: the host's choice");
  }
  explicit LocalTeacher(Params params) : params_(std::move(params)) {}

  void complete(const retort::TeacherBatch& batch, const retort::ItemSink& responses) override {
    const local::Sampling sampling{params_.temperature, params_.top_p, params_.top_k,        params_.n,
                                   params_.max_tokens,  params_.seed,  params_.top_logprobs, params_.grammar};
    const Prepared prepared = prepare(batch, responses, [&](const json& request, const json& tools) {
      return local::to_model_request(request, tools, sampling);
    });
    if (prepared.places.empty()) return;
    model().complete(prepared.requests, [&](std::uint64_t index, std::string_view item) {
      responses.item(prepared.places[index], dump(local::to_item(json::parse(item))));
    });
  }

  void score(const retort::TeacherBatch& batch, const retort::ItemSink& scores) override {
    const Prepared prepared = prepare(batch, scores, &local::to_score_request);
    if (prepared.places.empty()) return;
    model().score(prepared.requests,
                  [&](std::uint64_t index, std::string_view item) { scores.item(prepared.places[index], item); });
  }

 private:
  struct Prepared {
    std::string requests;
    std::vector<std::uint64_t> places;  ///< of the requests that can be asked, in the batch
  };

  static std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

  template <typename Make>
  static Prepared prepare(const retort::TeacherBatch& batch, const retort::ItemSink& items, const Make& make) {
    const json tools = batch.tools.empty() ? json::array() : json::parse(batch.tools, nullptr, false);
    const json requests = json::parse(batch.requests, nullptr, false);
    if (!requests.is_array() || !tools.is_array())
      throw std::invalid_argument("teacher.local: expected JSON arrays of requests and tools");
    Prepared prepared{"[", {}};
    for (std::size_t i = 0; i < requests.size(); ++i) {
      try {
        const std::string text = dump(make(requests[i], tools));
        prepared.requests += (prepared.places.empty() ? "" : ",") + text;
        prepared.places.push_back(i);
      } catch (const std::invalid_argument& error) {
        items.item(i, dump({{"error", error.what()}}));
      }
    }
    prepared.requests += "]";
    return prepared;
  }

  /// Opened when it is first used.
  retort::HostModel& model() {
    if (!model_) model_ = std::make_unique<retort::HostModel>(params_.model, params_.threads, params_.sequences);
    return *model_;
  }

  Params params_;
  std::unique_ptr<retort::HostModel> model_;
};

}  // namespace

RETORT_PLUGIN(LocalTeacher, "teacher.local", "1.0.0", "a model folder on Retort's own runtime, which costs nothing");
