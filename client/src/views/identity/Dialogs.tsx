import type { JSX } from "preact";
import { asking } from "../../state/look";
import type { Opened } from "../../state/session";
import { ImportDialog } from "../ImportDialog";
import { BindDialog } from "./BindDialog";
import { DefineDialog } from "./DefineDialog";
import { MergeDialog } from "./MergeDialog";
import { SameDialog } from "./SameDialog";
import { SureDialog } from "./SureDialog";

export function Dialogs({ opened }: { readonly opened: Opened }): JSX.Element | null {
  const asked = asking.value;
  switch (asked.kind) {
    case "none":
      return null;
    case "define":
      return <DefineDialog opened={opened} draft={asked.draft} anew={asked.anew} />;
    case "bind":
      return <BindDialog opened={opened} concept={asked.concept} facet={asked.facet} suggested={asked.suggested} />;
    case "same":
      return <SameDialog opened={opened} concept={asked.concept} entities={asked.entities} />;
    case "merge":
      return <MergeDialog opened={opened} facet={asked.facet} entities={asked.entities} />;
    case "import":
      return <ImportDialog opened={opened} plugin={asked.plugin} />;
    case "sure":
      return <SureDialog opened={opened} sure={asked.sure} />;
  }
}
