// stage.sft: supervised (or rejection-sampling) fine-tuning on labelled utterances.
#include "../common/training_stage.h"
#include "grammar/grammar_options.h"

namespace {

/// Of a model without a task; one that has one keeps its own.
auto normalisation_parameters() {
  using N = retort::task::NormalisationOptions;
  return retort::params<N>()
      .string("letters", &N::letters)
      .one_of({"keep", "lower"})
      .doc("what users write, in training and at run time: lower = without capitals")
      .string("unicode", &N::unicode)
      .one_of({"keep", "nfc", "nfkc"})
      .doc("Unicode normalisation form")
      .string("marks", &N::marks)
      .one_of({"keep", "plain"})
      .doc("plain = typographic quotes, apostrophes, dashes and spaces as on a keyboard")
      .string("ends", &N::ends)
      .one_of({"keep", "strip"})
      .doc("strip = no punctuation at the end, no white space at the ends")
      .string("numbers", &N::numbers)
      .one_of({"keep", "spaced", "joined"})
      .doc("spaced = 7pm as 7 pm, 10% as 10 %; joined = the other way round")
      .string("apostrophes", &N::apostrophes)
      .one_of({"keep", "drop"})
      .doc("drop = what's as whats: people write both")
      .string("values", &N::values)
      .one_of({"said", "lower"})
      .doc("spelling of what calls take from the text: as the user wrote it, or that in lower case");
}

/// Of a model without a task, as the normalisation is.
auto grammar_parameters() {
  using G = retort::grammar::GrammarOptions;
  return retort::params<G>()
      .boolean("values_from_utterance", &G::values_from_utterance)
      .doc("free strings of a call are words of the conversation, without regard to case")
      .boolean("no_call", &G::no_call)
      .doc("an answer without a call is allowed")
      .integer("most_calls", &G::most_calls)
      .at_least(0)
      .at_most(1000)
      .doc("calls in an answer, at most; 0: as many as the form holds")
      .boolean("ask_back", &G::ask_back)
      .doc("a call may lack required arguments, for which the user is to be asked");
}

class SftStage : public retort::Stage {
 public:
  struct Params {
    retort::train::NewModel model;
    retort::train::TrainingOptions training;
    std::string call_format = "inherited";
    std::string conjunction = "and";
    std::string argument_order = "spoken";
    retort::task::NormalisationOptions normalisation;
    std::int64_t readings = 1;
    retort::grammar::GrammarOptions grammar;
    bool calls_as_taught = false;
    std::string loss = "nll";
    retort::train::LowRankOptions low_rank;
    double tag_weight = 0;
    double answer_tag_weight = 2;
    double prompt_loss_weight = 0;
    std::int64_t validation_limit = 200;
    retort::train::ModelSelection validation;
  };
  static auto schema() {
    return retort::params<Params>()
        .object("model", &Params::model, retort::stages::new_model_parameters())
        .object("training", &Params::training, retort::stages::training_parameters())
        .string("call_format", &Params::call_format)
        .one_of({"inherited", "functional_tokens", "json", "chat_template"})
        .doc(
            "how calls are written; inherited = as the model does, functional_tokens where it knows no task; "
            "chat_template = by the pretrained model's own template, with any tools. A model that writes them in "
            "another "
            "form is taught this one from what it knows")
        .string("conjunction", &Params::conjunction)
        .doc("before the last item of a list, in the language of the utterances; \"\" = lists stand item by item")
        .string("argument_order", &Params::argument_order)
        .one_of({"spoken", "alphabetical"})
        .doc("of a new model's calls; spoken = as the utterance says the values, the rest last")
        .object("normalisation", &Params::normalisation, normalisation_parameters())
        .integer("readings", &Params::readings)
        .at_least(1)
        .at_most(8)
        .doc("how often a new model's prompts hold the message to answer; 2 = each word is read with what follows it")
        .object("grammar", &Params::grammar, grammar_parameters())
        .boolean("calls_as_taught", &Params::calls_as_taught)
        .doc(
            "the grammar allows no more calls in an answer than an answer of the data set has, and an answer without "
            "calls "
            "only where there is one")
        .string("loss", &Params::loss)
        .one_of({"nll", "dft"})
        .doc(
            "dft: the likelihood of each token weighs its own loss, so that labels that the model finds impossible "
            "count less")
        .object("low_rank", &Params::low_rank, retort::stages::low_rank_parameters())
        .number("tag_weight", &Params::tag_weight)
        .at_least(0)
        .at_most(10)
        .doc(
            "in the loss, of saying under each token of the prompt which argument takes it; 0 = off. With "
            "model.prompt_attention bidirectional a model learns to read as a sequence labeller does")
        .number("answer_tag_weight", &Params::answer_tag_weight)
        .at_least(0)
        .at_most(100)
        .doc(
            "with tag_weight above 0: how much what the model says under the prompt's tokens counts beside the "
            "probability "
            "of the answer that it writes, when it is asked on the runtime; 0 = what it writes stands. Validation "
            "while "
            "training counts what it writes")
        .number("prompt_loss_weight", &Params::prompt_loss_weight)
        .at_least(0)
        .at_most(1)
        .doc("of the prompt's tokens in the loss; 0 = responses only")
        .integer("validation_limit", &Params::validation_limit)
        .at_least(0)
        .unit("utterances")
        .doc("answered at every validation; 0 = off")
        .object("validation", &Params::validation, retort::stages::selection_parameters());
  }
  explicit SftStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("dataset", "dataset", "labelled utterances")
            .input("model", "model", "where to start; without it a new model and tokenizer", RETORT_INPUT_OPTIONAL)
            .input("embeddings", "model", "whose embedding, projected, a new model begins with", RETORT_INPUT_OPTIONAL);
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& /*context*/) override {
    std::vector<std::string> findings;
    retort::stages::check_device(findings, params_.training);
    return findings;
  }

  void run(const retort::StageContext& context) override {
    retort::train::FineTuningJob job;
    retort::stages::fill(job, context, params_);
    if (context.has_input("model")) job.start = context.input_folder("model");
    if (context.has_input("embeddings")) job.embeddings = context.input_folder("embeddings");
    job.model = params_.model;
    job.call_format = params_.call_format;
    job.normalisation = params_.normalisation;
    job.style = {params_.conjunction, params_.argument_order};
    job.style.readings = params_.readings;
    if (params_.grammar != retort::grammar::GrammarOptions()) job.grammar = to_json(params_.grammar);
    job.calls_as_taught = params_.calls_as_taught;
    job.loss = params_.loss;
    job.low_rank = params_.low_rank;
    job.validation = params_.validation;
    job.tag_weight = params_.tag_weight;
    job.answer_tag_weight = params_.answer_tag_weight;
    job.prompt_loss_weight = params_.prompt_loss_weight;
    retort::stages::record_size(context, retort::train::fine_tune(job, retort::stages::hooks(context)));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.sft", "1.3.0", "Apache-2.0",
                   retort::component<SftStage>("stage.sft", "1.3.0",
                                               "supervised fine-tuning, from random weights or from a model"));
