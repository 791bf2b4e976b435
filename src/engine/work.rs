//! Requests in, events out: runs the lab on the engine's thread.

use super::{Event, Job, News, Outbox, Request, ResultsRequest, Work};
use crate::control::{Control, quiet};
use crate::error::Result;
use crate::experiment;
use crate::lab::{Answer, CANDIDATES, Instrument, Lab, Reading, Setup};
use crate::library::Copies;
use crate::model::{Prompt, Want};
use std::path::PathBuf;
use std::sync::Arc;

/// A function that opens the lab on the engine's thread.
pub fn opener(setup: Setup) -> super::Open {
    opener_on(setup, None)
}

/// As [`opener`], on a copy of the library if there is a place for one.
pub fn opener_on(setup: Setup, copies: Option<Copies>) -> super::Open {
    Box::new(move |tell, control| {
        let place = |library: PathBuf| copies.as_ref().map_or(Ok(library.clone()), |copies| copies.of(&library));
        let lab = Lab::open_where(setup, &place, control)?;
        tell(Event::Model(Arc::new(lab.model_view())));
        lab.tell_opened(tell);
        lab.warm_up();
        Ok(Box::new(lab) as Box<dyn Work>)
    })
}

impl Lab {
    /// On a GPU, reads a token and writes one. The driver and cuBLAS defer some work to their first
    /// use, and the first key must not wait for it. Errors are ignored: they occur and are reported
    /// again at the first request.
    fn warm_up(&self) {
        let network = &self.model().network;
        if network.device().is_cpu() {
            return;
        }
        let prompt = Prompt { tokens: &[0], initial: None, snapshots: &[], want: Want::LastLogits };
        if let Ok([read]) = quiet(|control| network.prefill(&[prompt], control)).as_deref() {
            let _ = network.decoder(&[&read.state]).and_then(|mut decoder| decoder.step(&[0]).map(drop));
        }
    }

    fn tell_library(&self, tell: &Outbox) {
        tell(Event::Library(Arc::new(self.library_view())));
    }

    /// As `tell_library`, for the first time. The notes on the model are added, and the screen
    /// shows them like the warnings of a library.
    fn tell_opened(&self, tell: &Outbox) {
        let mut view = self.library_view();
        view.warnings.splice(0..0, self.notes().iter().cloned());
        tell(Event::Library(Arc::new(view)));
    }

    fn measure(&self, instrument: &Instrument, control: Control<'_>, tell: &dyn Fn(Reading)) -> Result<()> {
        match instrument {
            Instrument::Ecg(request) => tell(Reading::Ecg(Arc::new(self.ecg(request, control)?))),
            Instrument::Landscape(request) => {
                self.landscape(request, control, &mut |view| tell(Reading::Landscape(Arc::new(view)))).map(drop)?;
            }
            Instrument::Attribution(request) => tell(Reading::Attribution(Arc::new(self.attribution(request, control)?))),
            Instrument::Verdict(request) => tell(Reading::Verdict(Arc::new(self.verdict(request, control)?))),
            Instrument::Autopsy(request) => tell(Reading::Autopsy(Arc::new(self.autopsy(request, control)?))),
            Instrument::Compare(request) => tell(Reading::Compare(Arc::new(self.compare(request, control)?))),
        }
        Ok(())
    }

    /// Reads reports from disk or writes them there.
    fn reports_on_disk(&self, request: &ResultsRequest, control: Control<'_>, say: &dyn Fn(News)) -> Result<()> {
        match request {
            ResultsRequest::Load(dir) => {
                let (reports, left_out) = experiment::load(dir, self.fingerprint())?;
                say(News::Loaded { reports: reports.into_iter().map(Arc::new).collect(), left_out });
                Ok(())
            }
            ResultsRequest::Save { dir, reports, replace } => {
                let (mut folders, mut kept) = (Vec::new(), Vec::new());
                for report in reports {
                    control.check()?;
                    let folder = dir.join(&report.name);
                    if *replace || !experiment::holds_other_settings(&folder, report) {
                        report.write(&folder)?;
                        folders.push(folder);
                    } else {
                        kept.push(folder);
                    }
                }
                say(News::Saved { folders, kept });
                Ok(())
            }
        }
    }
}

impl Work for Lab {
    fn run(&self, job: &Job, tell: &Outbox, control: Control<'_>) -> Result<()> {
        let say = |news| tell(job.event(news));
        if let Err(cut_short) = self.library().check_whole() {
            // The rest of the library can be used. The loss is reported once, now and in the
            // library's warnings.
            self.reopen()?;
            self.tell_library(tell);
            return Err(cut_short);
        }
        match &job.request {
            Request::Build(request) => {
                let result = self.make(request, control, &|lab| lab.tell_library(tell));
                self.tell_library(tell);
                result.map(drop)
            }
            Request::Check => {
                let health = Arc::new(self.check(control)?);
                say(News::Checked(health));
                self.tell_library(tell);
                Ok(())
            }
            Request::Rank { query, view } => {
                say(News::Ranking(self.rank(query, view, control)?));
                Ok(())
            }
            Request::Weigh { query, view } => {
                let found = |evidence| say(News::Evidence(Arc::new(evidence)));
                found(self.evidence(query, view, CANDIDATES, control, &mut |so_far| found(so_far))?);
                Ok(())
            }
            Request::Ask(request) => {
                let answers: Vec<Answer> = self.ask(request, control)?;
                answers.into_iter().for_each(|answer| say(News::Answer(answer)));
                if let Some(gain) = self.gain(request, control)? {
                    say(News::Gain(gain));
                }
                Ok(())
            }
            Request::Map(request) => self.map(request, control, &mut |map| say(News::Map(Arc::new(map)))).map(drop),
            Request::Decay(request) => {
                say(News::Decay(Arc::new(self.decay(request, control)?)));
                Ok(())
            }
            Request::MapOn { request, epochs } => {
                self.map_on(request, *epochs, control, &mut |map| say(News::Map(Arc::new(map)))).map(drop)
            }
            Request::Place(query) => {
                say(News::Placed(self.place(query, control)?));
                Ok(())
            }
            Request::Inspect(skill) => {
                say(News::Report(Box::new(self.inspect(skill, control)?)));
                Ok(())
            }
            Request::Edit(edit) => {
                self.edit(edit, control)?;
                self.tell_library(tell);
                Ok(())
            }
            Request::Experiment { name, settings } => {
                let found = |report, complete| say(News::Experiment { report: Arc::new(report), complete });
                let report = experiment::find(name)?.stream(self, settings, control, &mut |so_far| found(so_far.clone(), false))?;
                found(report, true);
                Ok(())
            }
            Request::Results(request) => self.reports_on_disk(request, control, &say),
            Request::Instrument(instrument) => self.measure(instrument, control, &|reading| say(News::Reading(reading))),
        }
    }
}
