/** The records of the contract, as `crdt_schema` generates them. Nothing is copied: this file only passes them on. */
export type * from "../../../../crdt_schema/typescript/index";
